import { describe, expect, it } from "vitest";
import type { NodeState } from "../api/messages";
import {
  progressOf,
  queuedRun,
  type Run,
  type Runs,
  runsAfter,
  secondsLeft,
  type Told,
  withElsewhere,
  withFollowed,
} from "./runs";

function played(...told: readonly (readonly [number, Told])[]): Run {
  let runs: Runs = new Map([["p", queuedRun("p", "tab")]]);
  for (const [at, message] of told) runs = runsAfter(runs, message, at);
  const run = runs.get("p");
  if (run === undefined) throw new Error("the run is gone");
  return run;
}

function step(value: number, max: number, state: NodeState["state"] = "running"): Told {
  const nodes = [{ node_id: "5", display_node_id: "5", value, max, state }];
  return { kind: "states", job: "p", nodes };
}

describe("a run", () => {
  it("tells how long the rest of the steps takes at the pace so far", () => {
    const run = played(
      [0, { kind: "started", job: "p" }],
      [0, { kind: "executing", job: "p", node: "5" }],
      [1000, step(0, 20)],
      [3000, step(5, 20)],
    );
    expect(progressOf(run)).toBe(0.25);
    expect(secondsLeft(run, 3000)).toBe(6);
  });

  it("keeps a cached node cached when its output is announced again", () => {
    const run = played(
      [0, { kind: "cached", job: "p", nodes: ["1", "7"] }],
      [0, { kind: "executed", job: "p", node: "7", output: { images: [] } }],
    );
    expect(run.nodes.get("7")).toEqual({ status: "cached", output: { images: [] } });
  });

  it("shows a grown node's progress on the node that a person sees, and its end not", () => {
    const grown = { node_id: "5.0.1", display_node_id: "5", value: 1, max: 1 };
    const run = played(
      [0, { kind: "executing", job: "p", node: "5" }],
      [0, { kind: "states", job: "p", nodes: [{ ...grown, state: "finished" }] }],
    );
    expect(run.nodes.get("5")?.status).toBe("running");
  });

  it("puts an error on its node, in every language", () => {
    const run = played([
      0,
      {
        kind: "failed",
        job: "p",
        error: {
          node_id: "5",
          exception_message: "no room\n",
          exception_type: "OutOfMemory",
          traceback: [],
          current_inputs: {},
          message: { en: "no room", ja: "空きがありません" },
        },
      },
    ]);
    expect(run.status).toBe("failed");
    expect(run.nodes.get("5")).toMatchObject({
      status: "error",
      error: { ja: "空きがありません" },
    });
  });

  it("shows no preview on a node that is done, and takes none that comes late", () => {
    const late: Told = { kind: "preview", job: "p", node: "5", url: "blob:2" };
    const run = played(
      [0, { kind: "executing", job: "p", node: "5" }],
      [1, { kind: "preview", job: "p", node: "5", url: "blob:1" }],
      [2, step(1, 1, "finished")],
      [3, late],
    );
    expect(run.nodes.get("5")).toEqual({ status: "done" });
  });

  it("leaves nothing running once it was stopped or is done", () => {
    const begun = [0, { kind: "executing", job: "p", node: "5" }] as const;
    const stopped = played(begun, [1, { kind: "stopped", job: "p" }]);
    const done = played(begun, [1, { kind: "done", job: "p" }]);
    expect(stopped.nodes.get("5")?.status).toBe("waiting");
    expect(done.nodes.get("5")?.status).toBe("done");
    expect(done.current).toBeNull();
  });

  it("takes a preview without a job for the one that runs", () => {
    const run = played(
      [0, { kind: "started", job: "p" }],
      [0, { kind: "executing", job: "p", node: "5" }],
      [0, { kind: "preview", job: null, node: null, url: "blob:1" }],
    );
    expect(run.nodes.get("5")?.previewUrl).toBe("blob:1");
  });

  it("is begun by what is heard of a job that runs elsewhere", () => {
    const none: Runs = new Map();
    const begun = withElsewhere(none, { kind: "executing", job: "other", node: "5" });
    expect(begun.get("other")?.tab).toBe("");
    expect(withElsewhere(begun, { kind: "started", job: "other" })).toBe(begun);
    expect(withElsewhere(none, { kind: "executing", job: "other", node: null })).toBe(none);
    expect(withElsewhere(none, { kind: "done", job: "other" })).toBe(none);
  });

  it("keeps what was heard of it before the answer that makes it a tab's own", () => {
    const none: Runs = new Map();
    const started: Told = { kind: "started", job: "p" };
    const preview: Told = { kind: "preview", job: "p", node: "5", url: "blob:1" };
    const begun = runsAfter(runsAfter(withElsewhere(none, started), started, 7), preview, 8);
    expect(withFollowed(begun, "p", "tab").get("p")).toMatchObject({
      tab: "tab",
      fresh: true,
      status: "running",
      startedAt: 7,
      preview: "blob:1",
    });
    expect(withFollowed(none, "p", "tab").get("p")).toEqual(queuedRun("p", "tab", true));
  });

  it("is the same object after a message about somebody else's job", () => {
    const runs: Runs = new Map([["p", queuedRun("p", "tab")]]);
    expect(runsAfter(runs, { kind: "started", job: "other" }, 0)).toBe(runs);
    expect(runsAfter(runs, { kind: "status", remaining: 1 }, 0)).toBe(runs);
  });
});

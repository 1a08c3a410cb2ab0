import { afterEach, beforeEach, expect, test } from "vitest";
import { startI18n } from "../../i18n";
import { queuedRun, type Run } from "../../state/runs";
import { useServer } from "../../state/server";
import { tellFailures } from "./failures";
import { useNotices } from "./notices";

const ERROR = { node: "1", texts: { en: "no room" }, traceback: [], inputs: {} };

let end: () => void;
beforeEach(async () => {
  await startI18n();
  useNotices.setState({ notices: [] });
  useServer.setState({ runs: new Map() });
  end = tellFailures();
});
afterEach(() => end());

function hear(...runs: readonly Run[]): readonly string[] {
  useServer.setState({ runs: new Map(runs.map((run) => [run.job, run])) });
  return useNotices.getState().notices.map(({ text }) => text);
}

test("a run that fails is told once, with its cause", () => {
  const begun: Run = { ...queuedRun("a", "tab"), status: "running", startedAt: 1 };
  const failed: Run = { ...begun, status: "failed", error: ERROR };
  expect(hear(begun)).toEqual([]);
  expect(hear(failed)).toEqual(["The run failed. no room"]);
  useNotices.setState({ notices: [] });
  expect(hear({ ...failed })).toEqual([]);
});

test("a run that failed before we heard of its beginning is told", () => {
  const asked = queuedRun("a", "tab", true);
  hear(asked);
  expect(hear({ ...asked, status: "failed", error: ERROR })).toEqual(["The run failed. no room"]);
});

test("what failed before a reload, or in another window, is not told", () => {
  const queued = queuedRun("a", "tab");
  const elsewhere: Run = { ...queuedRun("b", ""), startedAt: 1 };
  hear(queued, elsewhere);
  const failed = { status: "failed", error: ERROR } as const;
  expect(hear({ ...queued, ...failed }, { ...elsewhere, ...failed })).toEqual([]);
});

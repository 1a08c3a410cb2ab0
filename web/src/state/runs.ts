/** What happens in this tab's jobs, as a value: each message makes the next one. Pure. */

import type { Texts } from "../api/http";
import type { Message, NodeState } from "../api/messages";

export type NodeStatus = "waiting" | "running" | "done" | "cached" | "error";
export type RunStatus = "queued" | "running" | "done" | "failed" | "stopped";
export type Output = Readonly<Record<string, unknown>>;

/** A node in a run: how far it is and what it shows. */
export interface NodeRun {
  readonly status: NodeStatus;
  readonly value?: number;
  readonly max?: number;
  readonly previewUrl?: string;
  readonly output?: Output;
  readonly text?: string;
  readonly error?: Texts;
}

/** A job of this window, or one that runs elsewhere. Times are milliseconds since 1970. */
export interface Run {
  readonly job: string;
  /** Where it was queued; "" if elsewhere: in another window, or by another program. */
  readonly tab: string;
  /** Whether it was asked for since the page was loaded. */
  readonly fresh: boolean;
  readonly status: RunStatus;
  readonly nodes: ReadonlyMap<string, NodeRun>;
  readonly current: string | null;
  readonly startedAt: number | null;
  readonly pace: Pace | null;
  readonly error: RunError | null;
  /** What was last seen of the picture, while it is being made. */
  readonly preview: string | null;
}

/** When the current node began to count its steps, to tell how long the rest takes. */
export interface Pace {
  readonly node: string;
  readonly since: number;
  readonly from: number;
}

export interface RunError {
  readonly node: string | null;
  readonly texts: Texts;
  readonly traceback: readonly string[];
  readonly inputs: Readonly<Record<string, unknown>>;
}

export type Runs = ReadonlyMap<string, Run>;

/** A message whose preview, if it is one, has become a URL. */
export type Told = Exclude<Message, { kind: "preview" | "plugins" }> | PreviewTold;
export interface PreviewTold {
  readonly kind: "preview";
  readonly job: string | null;
  readonly node: string | null;
  readonly url: string;
}

/** The beginning of a run. */
export function queuedRun(job: string, tab: string, fresh = false): Run {
  const nothing = { current: null, startedAt: null, pace: null, error: null, preview: null };
  return { job, tab, fresh, status: "queued", nodes: new Map(), ...nothing };
}

/** The runs with one more if a message tells of a job that runs elsewhere. */
export function withElsewhere(runs: Runs, told: Told): Runs {
  const begins = told.kind === "started" || told.kind === "states" || told.kind === "executing";
  if (!begins || told.job === null || runs.has(told.job)) return runs;
  if (told.kind === "executing" && told.node === null) return runs;
  return new Map(runs).set(told.job, queuedRun(told.job, ""));
}

/** The runs with a tab's own job; the answer that tells of it may come after its first messages. */
export function withFollowed(runs: Runs, job: string, tab: string): Runs {
  const heard = runs.get(job) ?? queuedRun(job, tab);
  return new Map(runs).set(job, { ...heard, tab, fresh: true });
}

/** The runs after a message; the same object if it says nothing about them. */
export function runsAfter(runs: Runs, told: Told, now: number): Runs {
  const job = jobOf(runs, told);
  const run = job === null ? undefined : runs.get(job);
  if (run === undefined) return runs;
  const next = runAfter(run, told, now);
  return next === run ? runs : new Map(runs).set(run.job, next);
}

/** Seconds until the current node is done, from its pace; null while nothing can be said. */
export function secondsLeft(run: Run, now: number): number | null {
  const { pace, current } = run;
  if (pace === null || pace.node !== current) return null;
  const node = run.nodes.get(pace.node);
  const done = (node?.value ?? 0) - pace.from;
  if (node === undefined || done <= 0) return null;
  return (((now - pace.since) / done) * ((node.max ?? 0) - (node.value ?? 0))) / 1000;
}

/** How far a run is, 0 … 1, by its current node; null while nothing counts. */
export function progressOf(run: Run): number | null {
  const node = run.current === null ? undefined : run.nodes.get(run.current);
  const max = node?.max ?? 0;
  return node === undefined || max <= 1 ? null : (node.value ?? 0) / max;
}

/** All preview URLs of a run. */
export function previewsOf(run: Run | undefined): readonly string[] {
  const shown = [...(run?.nodes.values() ?? [])].flatMap((node) => node.previewUrl ?? []);
  return run === undefined || run.preview === null ? shown : [...shown, run.preview];
}

// --- one message ---------------------------------------------------------------------------------

function runAfter(run: Run, told: Told, now: number): Run {
  switch (told.kind) {
    case "started":
      return { ...run, status: "running", startedAt: now };
    case "cached":
      return withNodes(run, told.nodes, (node) => ({ ...node, status: "cached" }));
    case "executing":
      return executing(run, told.node);
    case "states":
      return told.nodes.reduce((next, state) => withState(next, state, now), run);
    case "executed":
      return withNodes(run, [told.node], (node) => executed(node, told.output));
    case "preview":
      return previewed(run, told.node ?? run.current, told.url);
    case "text":
      return withNodes(run, [told.node], (node) => ({ ...node, text: told.text }));
    case "done":
    case "stopped":
      return ended(run, told.kind);
    case "failed":
      return failed(run, told);
    case "status":
      return run;
  }
}

function previewed(run: Run, node: string | null, url: string): Run {
  if (node === null) return run;
  const next = withNodes(run, [node], (at) =>
    isOver(at.status) ? at : { ...at, status: "running", previewUrl: url },
  );
  return { ...next, preview: url };
}

function isOver(status: NodeStatus): boolean {
  return status === "done" || status === "cached" || status === "error";
}

function executing(run: Run, node: string | null): Run {
  if (node === null) return { ...run, current: null };
  return { ...withNodes(run, [node], started), current: node, status: "running" };
}

function started(node: NodeRun): NodeRun {
  return { ...node, status: "running" };
}

function executed(node: NodeRun, output: Output | null): NodeRun {
  const status = node.status === "cached" ? "cached" : "done";
  return output === null ? { ...node, status } : { ...node, status, output };
}

function withState(run: Run, state: NodeState, now: number): Run {
  const id = state.display_node_id;
  const grown = state.display_node_id !== state.node_id;
  const { value, max } = state;
  if (state.state === "error") {
    return withNodes(run, [id], (node) => ({ ...node, status: "error" }));
  }
  if (state.state === "finished") {
    if (grown) return run;
    return withNodes(run, [id], finishedNode);
  }
  const paced = max > 1 && run.pace?.node !== id ? { node: id, since: now, from: value } : run.pace;
  const next = withNodes(run, [id], (node) => ({ ...node, status: "running", value, max }));
  return { ...next, pace: paced };
}

/** A node that is done shows what it made, no longer what it was making. */
function finishedNode({
  value: _value,
  max: _max,
  previewUrl: _preview,
  ...node
}: NodeRun): NodeRun {
  return {
    ...node,
    status: node.status === "running" || node.status === "waiting" ? "done" : node.status,
  };
}

function ended(run: Run, status: "done" | "stopped"): Run {
  const nodes = new Map<string, NodeRun>();
  for (const [id, node] of run.nodes) nodes.set(id, over(node, status));
  return { ...run, status, nodes, current: null, pace: null, preview: null };
}

function over(node: NodeRun, status: "done" | "stopped"): NodeRun {
  if (node.status !== "running") return node;
  return status === "stopped" ? { ...node, status: "waiting" } : finishedNode(node);
}

function failed(run: Run, told: Extract<Told, { kind: "failed" }>): Run {
  const { node_id: node, exception_message, message, traceback, current_inputs } = told.error;
  const texts = message ?? { en: exception_message.trim() };
  const next = withNodes(run, nodeList(node), (at) => ({ ...at, status: "error", error: texts }));
  const error = { node, texts, traceback: traceback ?? [], inputs: current_inputs ?? {} };
  return { ...next, status: "failed", current: null, pace: null, error, preview: null };
}

function withNodes(run: Run, ids: readonly string[], change: (node: NodeRun) => NodeRun): Run {
  if (ids.length === 0) return run;
  const nodes = new Map(run.nodes);
  for (const id of ids) nodes.set(id, change(nodes.get(id) ?? { status: "waiting" }));
  return { ...run, nodes };
}

function nodeList(node: string | null): readonly string[] {
  return node === null ? [] : [node];
}

/** A plain preview or text names no job: it is of the one that runs. */
function jobOf(runs: Runs, told: Told): string | null {
  if (told.kind === "status") return null;
  if ("job" in told && told.job !== null) return told.job;
  for (const run of runs.values()) if (run.status === "running") return run.job;
  return null;
}

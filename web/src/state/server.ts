/** What the server knows, as far as the editor has heard: nodes, queue, jobs, runs, problems. */

import { create } from "zustand";
import type { Message } from "../api/messages";
import * as routes from "../api/routes";
import type { Connection } from "../api/socket";
import type { JobAnswer, NodeInfo, ProblemAnswer, ReasonAnswer } from "../protocol/generated";
import { jobRun } from "./jobRun";
import {
  type NodeRun,
  previewsOf,
  queuedRun,
  type Run,
  type Runs,
  runsAfter,
  type Told,
  withElsewhere,
  withFollowed,
} from "./runs";
import { type TabId, useWorkspace } from "./workspace";

export interface Queue {
  readonly paused: boolean;
  readonly running: readonly string[];
  readonly queued: readonly string[];
}

export interface Server {
  readonly connection: Connection;
  readonly nodes: ReadonlyMap<string, NodeInfo>;
  readonly embeddings: readonly string[];
  readonly queue: Queue;
  /** Jobs by id, as the server last told of them. */
  readonly jobs: ReadonlyMap<string, JobAnswer>;
  readonly runs: Runs;
  /** The run that a tab shows: its last one. */
  readonly shown: ReadonlyMap<TabId, string>;
  readonly problems: ReadonlyMap<TabId, readonly ProblemAnswer[]>;
  readonly reasons: ReadonlyMap<TabId, Readonly<Record<string, ReasonAnswer>>>;
  /** The plugins that were loaded anew last; another list each time. */
  readonly pluginsChanged: readonly string[];
  /** The waiting job whose place the next run of a tab takes. */
  readonly editing: ReadonlyMap<TabId, string>;
}

const NO_QUEUE: Queue = { paused: false, running: [], queued: [] };
const REFRESH_MS = 150;
const MOST_SINGLE = 8;
const PAGE = 60;
/** So many runs are kept with the pictures that were seen on their way. */
const MOST_RUNS = 12;
const NO_PROBLEMS: readonly ProblemAnswer[] = [];

export const useServer = create<Server>()(() => ({
  connection: "connecting",
  nodes: new Map(),
  embeddings: [],
  queue: NO_QUEUE,
  jobs: new Map(),
  runs: new Map(),
  shown: new Map(),
  problems: new Map(),
  reasons: new Map(),
  pluginsChanged: [],
  editing: new Map(),
}));

const get = useServer.getState;
const set = useServer.setState;

// --- what components ask -------------------------------------------------------------------------

/** The run that the active tab shows. */
export function useRun(): Run | undefined {
  const tab = useWorkspace((state) => state.active);
  return useServer((state) => runOf(state, tab));
}

/** How a node of the active tab is doing; `path` is "12", or "5:12" inside an instance. */
export function useNodeRun(path: string): NodeRun | undefined {
  const tab = useWorkspace((state) => state.active);
  return useServer((state) => runOf(state, tab)?.nodes.get(path));
}

/** What is wrong with a node of the active tab. */
export function useProblems(path: string): readonly ProblemAnswer[] {
  const tab = useWorkspace((state) => state.active);
  return useServer((state) => problemsByNode(state.problems.get(tab)).get(path) ?? NO_PROBLEMS);
}

/** Why a node of the active tab would run, or not; undefined before it was asked. */
export function useExplained(path: string): ReasonAnswer | undefined {
  const tab = useWorkspace((state) => state.active);
  return useServer((state) => state.reasons.get(tab)?.[path]);
}

export function useNodeInfo(type: string): NodeInfo | undefined {
  return useServer((state) => state.nodes.get(type));
}

export function runOf(state: Server, tab: TabId): Run | undefined {
  return state.runs.get(state.shown.get(tab) ?? "");
}

const grouped = new WeakMap<readonly ProblemAnswer[], ReadonlyMap<string, ProblemAnswer[]>>();

function problemsByNode(
  problems: readonly ProblemAnswer[] = NO_PROBLEMS,
): ReadonlyMap<string, readonly ProblemAnswer[]> {
  const known = grouped.get(problems);
  if (known !== undefined) return known;
  const found = new Map<string, ProblemAnswer[]>();
  for (const problem of problems) {
    const list = found.get(problem.node_id ?? "") ?? [];
    found.set(problem.node_id ?? "", [...list, problem]);
  }
  grouped.set(problems, found);
  return found;
}

// --- what happens --------------------------------------------------------------------------------

export function setConnection(connection: Connection): void {
  const before = get().connection;
  set({ connection });
  if (connection === "open" && before !== "open") void catchUp();
}

/** Messages come many at once; all that came by the next frame change the state together. */
export function hear(message: Message): void {
  waiting.push(message);
  if (waiting.length > 1) return;
  if (document.hidden) setTimeout(hearAll, 0);
  else requestAnimationFrame(hearAll);
}

let waiting: Message[] = [];

function hearAll(): void {
  const heard = waiting;
  waiting = [];
  const { runs: before } = get();
  let runs = before;
  for (const message of heard) {
    if (message.kind === "status") refreshSoon();
    if (message.kind === "plugins") void pluginsChanged(message.plugins);
    const told = withUrl(message, runs);
    if (told === null) continue;
    runs = runsAfter(withElsewhere(runs, told), told, Date.now());
    if (!isEnd(told)) continue;
    runs = withoutElsewhere(runs, told.job);
    void refreshJobs([told.job]);
  }
  if (runs === before) return;
  set({ runs });
  letGo(before, runs);
}

/** What runs elsewhere is followed no longer than it runs. */
function withoutElsewhere(runs: Runs, job: string): Runs {
  if (runs.get(job)?.tab !== "") return runs;
  const kept = new Map(runs);
  kept.delete(job);
  return kept;
}

/** Follow a job in a tab; the pictures of the oldest runs are let go. */
export function follow(job: JobAnswer, tab: TabId): void {
  const { runs, shown, jobs } = get();
  const kept = new Map(runs);
  for (const [id, run] of kept) {
    if (kept.size < MOST_RUNS) break;
    if (run.status !== "running" && run.status !== "queued") forgetRun(kept, id);
  }
  const showing = new Map(shown).set(tab, job.id);
  rememberRuns(showing);
  const known = jobs.get(job.id);
  const latest = known === undefined || known.state === "queued" ? job : known;
  const followed = reconciled(withFollowed(kept, job.id, tab), [latest]);
  set({ runs: followed, shown: showing, jobs: new Map(jobs).set(job.id, latest) });
}

/** After a reload: follow again what the tabs showed before it. */
export function restoreRuns(): void {
  const shown = new Map(rememberedRuns());
  const runs = new Map([...shown].map(([tab, job]) => [job, queuedRun(job, tab)]));
  set({ runs, shown });
}

/** Let go of what closed tabs showed. */
export function forgetTabs(open: ReadonlySet<TabId>): void {
  const { runs, shown, problems, reasons } = get();
  const keep = <T>(map: ReadonlyMap<TabId, T>) => new Map([...map].filter(([id]) => open.has(id)));
  const kept = new Map(runs);
  for (const [id, run] of runs) if (run.tab !== "" && !open.has(run.tab)) forgetRun(kept, id);
  set({ runs: kept, shown: keep(shown), problems: keep(problems), reasons: keep(reasons) });
}

export function setProblems(tab: TabId, problems: readonly ProblemAnswer[]): void {
  set({ problems: new Map(get().problems).set(tab, problems) });
}

export function setReasons(tab: TabId, reasons: Readonly<Record<string, ReasonAnswer>>): void {
  set({ reasons: new Map(get().reasons).set(tab, reasons) });
}

/** The next run of a tab takes a waiting job's place; null: it does not. */
export function setEditing(tab: TabId, job: string | null): void {
  const editing = new Map(get().editing);
  if (job === null) editing.delete(tab);
  else editing.set(tab, job);
  set({ editing });
}

// --- asking --------------------------------------------------------------------------------------

/** The node types and embeddings, anew. */
export async function refreshNodes(): Promise<void> {
  const { nodes, embeddings } = await routes.getNodes();
  set({ nodes: new Map(Object.entries(nodes)), embeddings });
}

/** Plugins were loaded anew: first their nodes are known, then whoever watches is told. */
async function pluginsChanged(plugins: readonly string[]): Promise<void> {
  try {
    await refreshNodes();
  } catch {
    // The server went away; catchUp asks again when it is back.
  }
  set({ pluginsChanged: [...plugins] });
}

/** The queue, and the jobs in it or just out of it that are not known. */
export async function refreshQueue(): Promise<void> {
  const queue = await routes.getQueue();
  set({ queue });
  const inside = new Set([...queue.running, ...queue.queued]);
  const { jobs } = get();
  const stale = [...inside].filter((id) => {
    const state = jobs.get(id)?.state;
    return state === undefined || (state === "queued") !== queue.queued.includes(id);
  });
  const left = [...jobs.values()].filter(
    (job) => (job.state === "queued" || job.state === "running") && !inside.has(job.id),
  );
  await refreshJobs([...stale, ...left.map((job) => job.id)]);
}

/** Older jobs than those that are known; whether there are more. */
export async function loadOlder(): Promise<boolean> {
  const offset = get().jobs.size;
  const page = await routes.getJobs({ limit: PAGE, offset });
  learn(page.jobs);
  return page.jobs.length === PAGE;
}

export function forgetJob(id: string): void {
  const jobs = new Map(get().jobs);
  jobs.delete(id);
  set({ jobs });
}

export function learn(found: readonly JobAnswer[]): void {
  if (found.length === 0) return;
  const jobs = new Map(get().jobs);
  for (const job of found) jobs.set(job.id, job);
  set({ jobs, runs: reconciled(get().runs, found) });
}

async function refreshJobs(ids: readonly string[]): Promise<void> {
  if (ids.length > MOST_SINGLE) return learn((await routes.getJobs({ limit: PAGE })).jobs);
  const found = await Promise.allSettled(ids.map((id) => routes.getJob(id)));
  learn(found.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])));
}

/** After the server was away: everything that may have changed meanwhile. */
async function catchUp(): Promise<void> {
  try {
    const open = [...get().runs.values()].filter((run) => !isOver(run)).map((run) => run.job);
    await Promise.all([refreshNodes(), firstPage(), refreshQueue()]);
    await refreshJobs(open.filter((id) => !get().jobs.has(id)));
  } catch {
    // The connection tells that the server is away; the next time it is back asks again.
  }
}

async function firstPage(): Promise<void> {
  learn((await routes.getJobs({ limit: PAGE })).jobs);
}

let refreshIsDue = false;

function refreshSoon(): void {
  if (refreshIsDue) return;
  refreshIsDue = true;
  setTimeout(() => {
    refreshIsDue = false;
    refreshQueue().catch(() => {});
  }, REFRESH_MS);
}

/** Runs whose jobs the server tells to be further than we heard. */
function reconciled(runs: Runs, jobs: readonly JobAnswer[]): Runs {
  let next: Map<string, Run> | null = null;
  for (const job of jobs) {
    const run = runs.get(job.id);
    if (run === undefined || job.state === "queued" || isOver(run)) continue;
    next ??= new Map(runs);
    if (run.tab === "" && job.state !== "running") next.delete(job.id);
    else next.set(job.id, job.state === "running" ? begun(run, job) : jobRun(job, run));
  }
  return next ?? runs;
}

function begun(run: Run, job: JobAnswer): Run {
  if (run.status === "running") return run;
  return { ...run, status: "running", startedAt: (job.started ?? 0) * 1000 };
}

function isOver(run: Run): boolean {
  const complete = run.nodes.size > 0;
  return complete && run.status !== "queued" && run.status !== "running";
}

// --- what a reload must not forget ---------------------------------------------------------------

const REMEMBERED = "graphengine.shown";

function rememberRuns(shown: ReadonlyMap<TabId, string>): void {
  sessionStorage.setItem(REMEMBERED, JSON.stringify([...shown].slice(-MOST_RUNS)));
}

function rememberedRuns(): readonly (readonly [TabId, string])[] {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(REMEMBERED) ?? "[]");
    return Array.isArray(stored) ? stored.filter(isPair) : [];
  } catch {
    return [];
  }
}

function isPair(value: unknown): value is [string, string] {
  return Array.isArray(value) && value.every((part) => typeof part === "string");
}

// --- previews ------------------------------------------------------------------------------------

function withUrl(message: Message, runs: Runs): Told | null {
  if (message.kind === "plugins") return null;
  if (message.kind !== "preview") return message;
  if (message.job !== null && !runs.has(message.job)) return null;
  return { ...message, url: URL.createObjectURL(message.image) };
}

/** Pictures that no run shows any more are let go once their successors are drawn. */
function letGo(before: Runs, now: Runs): void {
  const gone: string[] = [];
  for (const [id, run] of before) {
    if (now.get(id) === run) continue;
    const kept = new Set(previewsOf(now.get(id)));
    gone.push(...previewsOf(run).filter((url) => !kept.has(url)));
  }
  if (gone.length > 0) setTimeout(() => gone.map((url) => URL.revokeObjectURL(url)), 1000);
}

function forgetRun(runs: Map<string, Run>, id: string): void {
  for (const url of previewsOf(runs.get(id))) URL.revokeObjectURL(url);
  runs.delete(id);
}

function isEnd(told: Told): told is Extract<Told, { kind: "done" | "failed" | "stopped" }> {
  return told.kind === "done" || told.kind === "failed" || told.kind === "stopped";
}

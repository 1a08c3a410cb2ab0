/** Running the workflow of the active tab, and looking at it before: problems, reasons. */

import { ApiError } from "../api/http";
import * as routes from "../api/routes";
import type { JsonObject } from "../model/json";
import { toNative } from "../model/native";
import { afterRun } from "../model/seeds";
import type { JobAnswer, ProblemAnswer } from "../protocol/generated";
import { clientId } from "./identity";
import { follow, setEditing, setProblems, setReasons, useServer } from "./server";
import { activeTab, type Tab, type TabId, useWorkspace } from "./workspace";

export interface RunOptions {
  /** Before everything that waits. */
  readonly front?: boolean;
  /** Only these output nodes; all by default. */
  readonly targets?: readonly string[];
}

/** Queue the active tab's workflow; null if problems keep all of it from running. */
export async function runActive(options: RunOptions = {}): Promise<JobAnswer | null> {
  const tab = activeTab();
  if (tab === undefined) return null;
  const prompt = toNative(tab.workflow);
  const { valid, problems } = await routes.validate(prompt);
  setProblems(tab.id, problems);
  try {
    const job = await submit(tab, prompt, options);
    follow(job, tab.id);
    drawSeeds(tab.id);
    return job;
  } catch (error) {
    if (!valid && error instanceof ApiError && error.status === 400) return null;
    throw error;
  }
}

/** Stop what the active tab runs, else take its waiting job out of the queue; which job. */
export async function cancelActive(): Promise<string | undefined> {
  const tab = activeTab();
  const job = tab && useServer.getState().shown.get(tab.id);
  const status = job && useServer.getState().runs.get(job)?.status;
  if (job === undefined || (status !== "running" && status !== "queued")) return undefined;
  await routes.deleteJob(job);
  return job;
}

/** Look at the active tab's workflow without running it: problems, and why each node would run. */
export async function checkActive(signal?: AbortSignal): Promise<readonly ProblemAnswer[]> {
  const tab = activeTab();
  if (tab === undefined) return [];
  const prompt = toNative(tab.workflow);
  const { valid, problems } = await routes.validate(prompt, signal);
  setProblems(tab.id, problems);
  setReasons(tab.id, valid ? (await routes.explain(prompt, signal)).nodes : {});
  return problems;
}

/** A new job, or another workflow for the waiting job that the tab was opened to edit. */
async function submit(tab: Tab, prompt: JsonObject, options: RunOptions): Promise<JobAnswer> {
  const { editing, queue } = useServer.getState();
  const targets = options.targets ?? null;
  const job = editing.get(tab.id);
  setEditing(tab.id, null);
  if (job !== undefined && queue.queued.includes(job)) return routes.putJob(job, prompt, targets);
  return routes.postJob({
    prompt,
    targets,
    client_id: clientId(),
    front: options.front ?? false,
    extra_data: { workflow_name: tab.name },
  });
}

/**
 * Every seed gets its value for the next run, as one step; it was the old one that was queued. What
 * was done in the meantime, in this tab or by going to another, stays.
 */
function drawSeeds(id: TabId): void {
  const { tabs, apply } = useWorkspace.getState();
  const workflow = tabs.find((tab) => tab.id === id)?.workflow;
  const changes = workflow === undefined ? [] : afterRun(workflow, Math.random);
  if (changes.length > 0) apply(changes, { group: "after-run", tab: id });
}

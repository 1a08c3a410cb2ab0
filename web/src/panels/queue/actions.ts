/** What can be done with jobs. */

import i18next from "i18next";
import * as routes from "../../api/routes";
import type { JobAnswer } from "../../protocol/generated";
import { cancelActive } from "../../state/run";
import { follow, forgetJob, learn, refreshQueue, setEditing, useServer } from "../../state/server";
import { useWorkspace } from "../../state/workspace";
import { attempt, tell } from "../notices/notices";
import { showOpened } from "../opening/opening";
import { titleOf } from "./queue";

const LONGEST_NAME = 40;
/** A little longer than the server waits before it lets a job be killed. */
const STUCK_AFTER_MS = 6000;

export async function cancel(job: string): Promise<void> {
  await attempt(routes.deleteJob(job));
  offerToKill(job);
  await attempt(refreshQueue());
}

/** Stop what the active tab runs. */
export async function stopActive(): Promise<void> {
  const job = await attempt(cancelActive());
  if (job !== undefined) offerToKill(job);
}

/** A node that is inside a library's call does not hear that it should stop. */
function offerToKill(job: string): void {
  setTimeout(async () => {
    // A job that is stuck says nothing more that would mend what we heard too late.
    await attempt(refreshQueue());
    if (!useServer.getState().queue.running.includes(job)) return;
    const kill = () => void attempt(routes.killJob(job));
    tell(i18next.t("queue.stuck"), "bad", { text: i18next.t("queue.kill"), run: kill });
  }, STUCK_AFTER_MS);
}

/** Forget an ended job. Its files stay in the output folder. */
export async function forget(job: string): Promise<void> {
  await attempt(routes.deleteJob(job).then(() => forgetJob(job)));
}

export async function retry(job: JobAnswer): Promise<void> {
  const again = await attempt(routes.retryJob(job.id));
  if (again === undefined) return;
  const tab = useServer.getState().runs.get(job.id)?.tab;
  if (tab === undefined) learn([again]);
  else follow(again, tab);
  await attempt(refreshQueue());
}

/** Put a waiting job so many places further on; negative is earlier. */
export async function moveBy(job: string, by: number): Promise<void> {
  const { queued } = useServer.getState().queue;
  await moveTo(job, queued.indexOf(job) + by);
}

export async function moveTo(job: string, place: number): Promise<void> {
  const { queue } = useServer.getState();
  const last = queue.queued.length - 1;
  const to = Math.min(Math.max(place, 0), last);
  if (to === queue.queued.indexOf(job)) return;
  const moved = await attempt(routes.moveJob(job, to));
  if (moved !== undefined) useServer.setState({ queue: moved });
}

export async function setPaused(paused: boolean): Promise<void> {
  const queue = await attempt(routes.pauseQueue(paused));
  if (queue !== undefined) useServer.setState({ queue });
}

export async function clear(): Promise<void> {
  await attempt(routes.clearQueue());
  await attempt(refreshQueue());
}

/** Open the workflow that made a job in a tab of its own. */
export async function openWorkflow(job: JobAnswer): Promise<string | undefined> {
  const opened = await attempt(routes.getJobDocument(job.id, job.state !== "queued"));
  return opened === undefined ? undefined : showOpened(opened, titleOf(job).slice(0, LONGEST_NAME));
}

/** Open a waiting job's workflow; the next run of that tab takes the job's place. */
export async function edit(job: JobAnswer): Promise<void> {
  const tab = await openWorkflow(job);
  if (tab === undefined) return;
  setEditing(tab, job.id);
  useWorkspace.getState().activate(tab);
  tell(i18next.t("queue.editing"));
}

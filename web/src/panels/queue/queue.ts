/** The queue as a list of rows, and how long things take. Pure. */

import type { JobAnswer } from "../../protocol/generated";
import type { Queue } from "../../state/server";

/** The jobs that run, then those that wait, the next one first. */
export function unended(queue: Queue, jobs: ReadonlyMap<string, JobAnswer>): readonly JobAnswer[] {
  const listed = [...queue.running, ...queue.queued].flatMap((id) => jobs.get(id) ?? []);
  return listed.filter((job) => !hasEnded(job));
}

/** The jobs that have ended, the latest first. */
export function endedJobs(jobs: ReadonlyMap<string, JobAnswer>): readonly JobAnswer[] {
  return [...jobs.values()]
    .filter(hasEnded)
    .sort((one, other) => (other.finished ?? other.created) - (one.finished ?? one.created));
}

function hasEnded(job: JobAnswer): boolean {
  return job.state !== "queued" && job.state !== "running";
}

/** What a job is called: what its first prompt says, else its last node. */
export function titleOf(job: JobAnswer): string {
  const nodes = Object.values(job.prompt) as readonly PromptNode[];
  for (const node of nodes) {
    const text = node.inputs?.["text"] ?? node.inputs?.["prompt"];
    if (typeof text === "string" && text.trim() !== "") return text.trim();
  }
  return nodes.at(-1)?.class_type ?? job.id.slice(0, 8);
}

interface PromptNode {
  readonly class_type?: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
}

/** Seconds as a person reads them: "0.8 s", "42 s", "3:05"; the unit is "s" or "秒". */
export function duration(seconds: number, unit: string): string {
  if (seconds < 10) return `${seconds.toFixed(1)} ${unit}`;
  if (seconds < 60) return `${Math.round(seconds)} ${unit}`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

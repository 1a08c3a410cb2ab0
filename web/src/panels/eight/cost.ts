/** What steps cost, from what they cost before. Pure. */

import type { JsonObject } from "../../model/json";
import type { JobAnswer } from "../../protocol/generated";

/** Seconds that one step took in the latest job that sampled at this node; null if none did. */
export function secondsAStep(jobs: Iterable<JobAnswer>, sampler: string): number | null {
  let latest: JobAnswer | null = null;
  for (const job of jobs) {
    const sampled = job.state === "done" && job.executed.includes(sampler);
    if (sampled && (job.finished ?? 0) > (latest?.finished ?? 0)) latest = job;
  }
  const steps = latest === null ? null : stepsOf(latest, sampler);
  return latest === null || steps === null ? null : (latest.seconds ?? 0) / steps;
}

function stepsOf(job: JobAnswer, sampler: string): number | null {
  const node = job.prompt[sampler] as { inputs?: JsonObject } | undefined;
  const steps = node?.inputs?.["steps"];
  return typeof steps === "number" && steps > 0 ? steps : null;
}

/** How often the model is asked: once a step, twice where CFG compares two prompts. */
export function evaluations(steps: number, cfg: number): number {
  return cfg === 1 ? steps : steps * 2;
}

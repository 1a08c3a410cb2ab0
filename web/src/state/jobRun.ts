/** A run as the server's record of the job tells it: after we were away, or reloaded. */

import type { JobAnswer } from "../protocol/generated";
import type { NodeRun, Run, RunStatus } from "./runs";

const STATUS: Readonly<Record<JobAnswer["state"], RunStatus>> = {
  queued: "queued",
  running: "running",
  done: "done",
  failed: "failed",
  cancelled: "stopped",
  interrupted: "stopped",
};

/** The run that the record of a job which has ended describes; nothing is being made any more. */
export function jobRun(job: JobAnswer, before: Run): Run {
  const nodes = new Map<string, NodeRun>();
  const put = (id: string, fields: Partial<NodeRun>) => {
    nodes.set(id, { ...(nodes.get(id) ?? { status: "waiting" }), ...fields });
  };
  for (const id of before.nodes.keys()) put(id, {});
  for (const id of job.cached) put(id, { status: "cached" });
  for (const id of job.executed) put(id, { status: "done" });
  for (const [id, output] of Object.entries(job.outputs)) put(id, { output });
  const failed = job.error?.node_id;
  if (job.error && failed) put(failed, { status: "error", error: textsOf(job.error.message) });
  return {
    ...before,
    status: STATUS[job.state],
    nodes,
    current: null,
    pace: null,
    preview: null,
    error: job.error && {
      node: job.error.node_id,
      texts: textsOf(job.error.message),
      traceback: job.error.traceback,
      inputs: job.error.inputs,
    },
  };
}

function textsOf(message: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const entries = Object.entries(message);
  return Object.fromEntries(entries.filter((one): one is [string, string] => one[1] !== undefined));
}

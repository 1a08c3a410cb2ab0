/** What was done and can be taken back: at most `MOST_STEPS` steps, gestures as one. */

import { applyChange, batch, type Change } from "./changes";
import type { Workflow } from "./document";

export const MOST_STEPS = 500;
/** Milliseconds within which changes of one group are one step. */
export const GROUPED_MS = 1500;

export interface Step {
  readonly change: Change;
  readonly inverse: Change;
  readonly group: string | undefined;
  readonly time: number;
}

export interface History {
  readonly past: readonly Step[];
  readonly future: readonly Step[];
}

export const NO_HISTORY: History = { past: [], future: [] };

/** The history with one step more, or a larger last one if both are of one group. */
export function recorded(history: History, step: Step): History {
  const last = history.past.at(-1);
  const joins =
    last !== undefined &&
    step.group !== undefined &&
    last.group === step.group &&
    step.time - last.time <= GROUPED_MS;
  const past = joins
    ? [...history.past.slice(0, -1), joined(last, step)]
    : [...history.past, step].slice(-MOST_STEPS);
  return { past, future: [] };
}

export function undone(workflow: Workflow, history: History): readonly [Workflow, History] {
  const step = history.past.at(-1);
  if (step === undefined) return [workflow, history];
  const [before] = applyChange(workflow, step.inverse);
  return [before, { past: history.past.slice(0, -1), future: [step, ...history.future] }];
}

export function redone(workflow: Workflow, history: History): readonly [Workflow, History] {
  const [step, ...future] = history.future;
  if (step === undefined) return [workflow, history];
  const [after] = applyChange(workflow, step.change);
  return [after, { past: [...history.past, { ...step, group: undefined }], future }];
}

function joined(first: Step, second: Step): Step {
  const sameTarget = target(first.change) === target(second.change);
  return {
    change: sameTarget ? second.change : batch([first.change, second.change]),
    inverse: sameTarget ? first.inverse : batch([second.inverse, first.inverse]),
    group: second.group,
    time: second.time,
  };
}

/** What a change writes, if the next one of its kind there replaces it whole; else its own self. */
function target(change: Change): unknown {
  return change.kind === "set-value" && change.value !== undefined
    ? `${change.graph}\n${change.node}\n${change.name}`
    : change;
}

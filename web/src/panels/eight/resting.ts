/** The active workflow for what shows more of it than one value: not anew for each key typed. */

import { create } from "zustand";
import { EMPTY_WORKFLOW, type Workflow } from "../../model/document";
import { activeTab, useWorkspace, type Workspace } from "../../state/workspace";
import { isSameWiring } from "./find";

const REST_MS = 150;

const workflowOf = (state: Workspace): Workflow => activeTab(state)?.workflow ?? EMPTY_WORKFLOW;

const useResting = create<{ readonly workflow: Workflow }>()(() => ({
  workflow: workflowOf(useWorkspace.getState()),
}));

let timer: ReturnType<typeof setTimeout>;
useWorkspace.subscribe((state, before) => {
  const workflow = workflowOf(state);
  if (workflow === workflowOf(before)) return;
  clearTimeout(timer);
  const rest = () => useResting.setState({ workflow });
  if (isSameWiring(useResting.getState().workflow, workflow)) timer = setTimeout(rest, REST_MS);
  else rest();
});

/** The workflow as it is wired now, with its values as they were when they last rested. */
export function useRestingDocument(): Workflow {
  return useResting((state) => state.workflow);
}

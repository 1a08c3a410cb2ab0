/** The eight settings of the active workflow, kept up to date, and ways to change them. */

import { useMemo } from "react";
import type { Change } from "../../model/changes";
import type { Workflow } from "../../model/document";
import type { Json } from "../../model/json";
import type { InputInfo, NodeInfo } from "../../protocol/generated";
import { useKept } from "../../state/kept";
import { useServer } from "../../state/server";
import { activeTab, useWorkspace } from "../../state/workspace";
import { readField, setField } from "./fields";
import {
  type Found,
  findSamplers,
  findSettings,
  type InputNames,
  isSameWiring,
  type Setting,
} from "./find";
import { useRestingDocument } from "./resting";
import { nodeAt, type Place, pathOf } from "./walk";

export interface Eight {
  readonly samplers: readonly Place[];
  readonly found: Found | null;
}

/** The samplers of the active workflow, and the settings of the chosen one, else of the first. */
export function useEight(chosen: string | null): Eight {
  const workflow = useRestingDocument();
  const nodes = useServer((state) => state.nodes);
  const names = useMemo(() => inputNames(nodes), [nodes]);
  const keptWiring = useKept(isSameWiring);
  const keptSamplers = useKept<Eight["samplers"]>();
  const keptFound = useKept<Eight["found"]>();
  const wired = keptWiring(workflow);
  const samplers = useMemo(
    () => keptSamplers(findSamplers(wired, names)),
    [wired, names, keptSamplers],
  );
  const sampler = samplers.find((place) => pathOf(place) === chosen) ?? samplers[0];
  const found = useMemo(
    () => keptFound(sampler === undefined ? null : findSettings(workflow, sampler, names)),
    [workflow, sampler, names, keptFound],
  );
  return { samplers, found };
}

/** What the input of a setting takes. */
export function useInput(setting: Setting | null): InputInfo | undefined {
  const type = useWorkspace((state) => {
    const workflow = activeTab(state)?.workflow;
    return setting && workflow ? nodeAt(workflow, setting.at)?.type : undefined;
  });
  const info = useServer((state) => state.nodes.get(type ?? ""));
  return info?.inputs.find((input) => input.name === setting?.input);
}

/** A setting's value; the input's default where the workflow does not say. */
export function useSetting(setting: Setting | null): Json | undefined {
  const input = useInput(setting);
  const value = useWorkspace((state) => {
    const workflow = activeTab(state)?.workflow;
    return setting?.field && workflow ? readField(workflow, setting.field) : undefined;
  });
  return value ?? (input?.default as Json | undefined);
}

/** Change a setting; quick changes of one are undone together. */
export function changeSetting(setting: Setting, value: Json): void {
  const workflow = activeTab()?.workflow;
  if (workflow === undefined || setting.field === null) return;
  const group = `eight.${pathOf(setting.at)}.${setting.input}`;
  useWorkspace.getState().apply(setField(workflow, setting.field, value), { group });
}

/** Apply what an edit of the workflow gives, if it gives anything; whether it did. */
export function applyEdit(
  edit: (workflow: Workflow) => Change | readonly Change[] | null,
): boolean {
  const workflow = activeTab()?.workflow;
  const change = workflow === undefined ? null : edit(workflow);
  if (change === null) return false;
  useWorkspace.getState().apply(change);
  return true;
}

/** The choices of a node type's input. */
export function choicesOf(
  nodes: ReadonlyMap<string, NodeInfo>,
  type: string,
  input: string,
): readonly string[] {
  const widget = nodes.get(type)?.inputs.find((one) => one.name === input)?.widget;
  return widget && "choices" in widget ? widget.choices.map(String) : [];
}

function inputNames(nodes: ReadonlyMap<string, NodeInfo>): InputNames {
  const known = new Map<string, readonly string[]>();
  return (type) => {
    const before = known.get(type);
    if (before !== undefined) return before;
    const widgets = nodes.get(type)?.inputs.filter((input) => input.widget !== null) ?? [];
    const found = widgets.map((input) => input.name);
    known.set(type, found);
    return found;
  };
}

/** Titles as somebody writes them; an empty one gives way to what the thing is called by itself. */

import type { GroupId, NodeId } from "../model/document";
import { edit } from "../model/edits";
import { labelled } from "../model/subgraphs";
import { activeGraphId, activeTab, useWorkspace } from "../state/workspace";

export function renameNode(node: NodeId): (title: string) => void {
  return (title) =>
    useWorkspace.getState().apply(edit(activeGraphId(), node, { title: title || null }));
}

export function renameGroup(group: GroupId): (title: string) => void {
  return (title) =>
    useWorkspace
      .getState()
      .apply({ kind: "edit-group", graph: activeGraphId(), group, fields: { title } });
}

/** An input or output of the subgraph in which one stands is called something; its name stays. */
export function renameSlot(side: "inputs" | "outputs", name: string): (title: string) => void {
  return (title) => {
    const tab = activeTab();
    if (tab === undefined) return;
    useWorkspace.getState().apply(labelled(tab.workflow, activeGraphId(), side, name, title));
  };
}

/** Under which name a slot's title is being written. */
export function slotKey(side: "inputs" | "outputs", name: string): string {
  return `${side} ${name}`;
}

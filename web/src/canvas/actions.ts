/** What commands, menus and keys do on the canvas. */

import { type Change, frameAround } from "../model/changes";
import { copied, pasted } from "../model/clipboard";
import { freshId, type GraphNode, makeNode, type NodeId, type Point } from "../model/document";
import {
  type Alignment,
  aligned,
  edit,
  nodeOf,
  removeItems,
  replaceType,
  rerouteLink,
  withColor,
  withFlag,
} from "../model/edits";
import { newUuid } from "../model/ids";
import { layout } from "../model/layout";
import { isCollapsed, isPinned } from "../model/measures";
import { accepts } from "../model/sockets";
import { makeSubgraph, unpackSubgraph } from "../model/subgraphs";
import { measuresAt, shapeAt } from "../nodes/shapes";
import type { NodeInfo } from "../protocol/generated";
import { activeGraph, activeGraphId, activeTab, useWorkspace } from "../state/workspace";
import { link } from "./linking";
import { camera, type LooseEnd, type Search } from "./view";

const state = () => useWorkspace.getState();
const apply = (change: Change | readonly Change[], group?: string) =>
  state().apply(change, group === undefined ? {} : { group });

/** The selected nodes of the graph in which one stands. */
export function selectedNodes(): readonly GraphNode[] {
  const graph = activeGraph();
  return [...(activeTab()?.selection ?? [])].flatMap((id) => graph.nodes.get(id) ?? []);
}

export function hasSelection(): boolean {
  const tab = activeTab();
  return tab !== undefined && (tab.selection.size > 0 || tab.selectedLinks.size > 0);
}

// --- adding ------------------------------------------------------------------------------------

/** A new node where the search was opened, linked to what it was dropped from. */
export function addFound(info: NodeInfo, search: Search): void {
  if (search.replaces !== null) {
    const node = activeGraph().nodes.get(search.replaces);
    if (node !== undefined) apply(replaceType(activeGraph(), activeGraphId(), node, info));
    return;
  }
  const id = addNode(info, search.at);
  if (search.link !== null) linkTo(id, search.link);
}

export function addNode(info: NodeInfo, at: Point): NodeId {
  const graph = activeGraph();
  const id = freshId(graph.nodes.keys());
  const item = nodeOf(info, id, [Math.round(at[0]), Math.round(at[1])]);
  apply({ kind: "add", graph: activeGraphId(), nodes: [{ item }] }, `add ${id}`);
  state().select([id]);
  return id;
}

/** Link a new node to a loose end: exact types before "anything". */
function linkTo(id: NodeId, end: LooseEnd): void {
  const shape = shapeAt(state(), id);
  if (shape === undefined) return;
  if ("from" in end) {
    const inputs = [...shape.sockets, ...shape.widgets].filter((one) =>
      accepts(one.type, end.type),
    );
    const best = inputs.find((one) => one.type === end.type) ?? inputs[0];
    if (best !== undefined) link({ from: end.from, to: { node: id, name: best.name } });
  } else {
    const fits = shape.outputs
      .map((one, place) => ({ one, place }))
      .filter(({ one }) => accepts(end.type, one.type));
    const best = fits.find(({ one }) => one.type === end.type) ?? fits[0];
    if (best !== undefined) link({ from: { node: id, place: best.place }, to: end.to });
  }
}

export function addNote(at = camera.current?.centre() ?? [0, 0]): void {
  const id = freshId(activeGraph().nodes.keys());
  const item = makeNode({ id, type: "Note", position: at, size: [240, 140], values: { text: "" } });
  apply({ kind: "add", graph: activeGraphId(), nodes: [{ item }] });
  state().select([id]);
}

export function addReroute(at: Point, linkId?: string): void {
  const graph = activeGraph();
  const existing = linkId === undefined ? undefined : graph.links.get(linkId);
  if (existing !== undefined) {
    apply(rerouteLink(graph, activeGraphId(), existing, [at[0] - 22, at[1] - 13]));
    return;
  }
  const id = freshId(graph.nodes.keys());
  const item = makeNode({
    id,
    type: "Reroute",
    position: at,
    inputs: [{ name: "", type: "*" }],
    outputs: [{ name: "", type: "*" }],
  });
  apply({ kind: "add", graph: activeGraphId(), nodes: [{ item }] });
}

// --- removing, copying -------------------------------------------------------------------------

export function removeSelected(): void {
  const tab = activeTab();
  if (tab === undefined) return;
  const graph = activeGraph();
  apply(removeItems(graph, activeGraphId(), tab.selection, tab.selectedLinks, tab.selection));
  state().select([]);
}

export function copySelected(): string | null {
  const tab = activeTab();
  if (tab === undefined || tab.selection.size === 0) return null;
  return copied(tab.workflow, activeGraphId(), tab.selection);
}

/** Paste a copied text; whether it was one. */
export function pasteText(text: string, withOuterLinks: boolean, at?: Point): boolean {
  const tab = activeTab();
  if (tab === undefined) return false;
  const place = at ?? camera.current?.centre() ?? [0, 0];
  const found = pasted(text, tab.workflow, activeGraphId(), place, withOuterLinks);
  if (found === null) return false;
  apply(found.change);
  state().select(found.nodes);
  return true;
}

export function duplicateSelected(withOuterLinks: boolean): void {
  const text = copySelected();
  const [first] = selectedNodes();
  if (text === null) return;
  const at = first === undefined ? undefined : cornerOf(selectedNodes());
  pasteText(text, withOuterLinks, at && [at[0] + 30, at[1] + 30]);
}

export function selectAll(): void {
  const graph = activeGraph();
  state().select([...graph.nodes.keys(), ...graph.groups.keys()]);
}

// --- fields of the selected --------------------------------------------------------------------

export function toggleMode(mode: "muted" | "bypassed"): void {
  const nodes = selectedNodes();
  const on = nodes.some((node) => node.mode !== mode);
  apply(nodes.map((node) => edit(activeGraphId(), node.id, { mode: on ? mode : "always" })));
}

export function toggleCollapsed(): void {
  const nodes = selectedNodes();
  const on = nodes.some((node) => !isCollapsed(node));
  apply(nodes.map((node) => edit(activeGraphId(), node.id, withFlag(node, "collapsed", on))));
}

export function togglePinned(): void {
  const nodes = selectedNodes();
  const on = nodes.some((node) => !isPinned(node));
  apply(nodes.map((node) => edit(activeGraphId(), node.id, withFlag(node, "pinned", on))));
}

export function paintSelected(color: string | null): void {
  const graph = activeGraph();
  const groups = [...(activeTab()?.selection ?? [])].filter((id) => graph.groups.has(id));
  apply([
    ...selectedNodes().map((node) => edit(activeGraphId(), node.id, withColor(node, color))),
    ...groups.map(
      (group): Change => ({ kind: "edit-group", graph: activeGraphId(), group, fields: { color } }),
    ),
  ]);
}

// --- frames and subgraphs ----------------------------------------------------------------------

const FRAME_MARGIN = 24;
const FRAME_TITLE = 28;

export function groupSelected(title: string): void {
  const nodes = selectedNodes();
  const bounds = nodes.map((node) => {
    const [width, height] = measuresAt(node.id)?.size ?? [200, 100];
    return [node.position[0], node.position[1], width, height] as const;
  });
  const [cx, cy] = camera.current?.centre() ?? [0, 0];
  const [x, y, width, height] =
    bounds.length === 0
      ? ([cx - 200, cy - 150, 400, 300] as const)
      : frameAround(bounds, FRAME_MARGIN);
  const frame = [x, y - FRAME_TITLE, width, height + FRAME_TITLE] as const;
  const id = `group-${newUuid()}`;
  const group = { id, title, bounds: frame, color: null, extra: {} };
  apply({ kind: "add", graph: activeGraphId(), groups: [{ item: group }] });
  state().select([id]);
}

export function subgraphOfSelected(name: string): void {
  const tab = activeTab();
  const ids = new Set(selectedNodes().map((node) => node.id));
  if (tab === undefined || ids.size === 0) return;
  const [change, instance] = makeSubgraph(tab.workflow, activeGraphId(), ids, name);
  apply(change);
  state().select([instance]);
}

export function selectedInstances(): readonly GraphNode[] {
  const subgraphs = activeTab()?.workflow.subgraphs;
  return selectedNodes().filter((node) => subgraphs?.has(node.type));
}

export function unpackSelected(): void {
  const shown: NodeId[] = [];
  const group = `unpack ${Date.now()}`;
  for (const node of selectedInstances()) {
    const tab = activeTab();
    if (tab === undefined) return;
    const [change, ids] = unpackSubgraph(tab.workflow, activeGraphId(), node);
    apply(change, group);
    shown.push(...ids);
  }
  state().select(shown);
}

// --- places ------------------------------------------------------------------------------------

/** Lay out the selected nodes, or all if fewer than two are selected. */
export async function arrange(): Promise<void> {
  const graph = activeGraph();
  const graphId = activeGraphId();
  const chosen = selectedNodes();
  const nodes = (chosen.length > 1 ? chosen : [...graph.nodes.values()]).filter(
    (node) => !isPinned(node),
  );
  if (nodes.length === 0) return;
  const to = await layout(
    graph,
    nodes.map((node) => node.id),
    (id) => measuresAt(id)?.size ?? [200, 100],
  );
  apply({ kind: "move", graph: graphId, to });
  if (chosen.length < 2) state().fit();
}

export function alignSelected(how: Alignment): void {
  const nodes = selectedNodes().map(({ id, position }) => ({
    id,
    position,
    size: measuresAt(id)?.size ?? ([200, 100] as const),
  }));
  if (nodes.length > 1) apply({ kind: "move", graph: activeGraphId(), to: aligned(nodes, how) });
}

export function fitSelected(): void {
  state().fit([...(activeTab()?.selection ?? [])]);
}

function cornerOf(nodes: readonly GraphNode[]): Point {
  return [
    Math.min(...nodes.map((node) => node.position[0])),
    Math.min(...nodes.map((node) => node.position[1])),
  ];
}

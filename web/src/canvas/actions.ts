/** What commands, menus and keys do on the canvas. */

import i18next from "i18next";
import { applyChange, type Change } from "../model/changes";
import { copied, pasted } from "../model/clipboard";
import {
  type Bounds,
  freshId,
  type GraphNode,
  graphOf,
  makeNode,
  type NodeId,
  type Point,
} from "../model/document";
import {
  type Alignment,
  addInto,
  addJoined,
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
import type { JsonObject } from "../model/json";
import { frameOf, layout } from "../model/layout";
import { holds, isCollapsed, isPinned } from "../model/measures";
import { makeSubgraph, unpackSubgraph } from "../model/subgraphs";
import { measuresAt } from "../nodes/shapes";
import { movedPanel } from "../panels/eight/moved";
import type { NodeInfo } from "../protocol/generated";
import { useServer } from "../state/server";
import { activeGraph, activeGraphId, activeTab, useWorkspace } from "../state/workspace";
import { camera, type Search, say } from "./view";

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

/** Add what the search found: where it was opened, linked to what it was opened from. */
export function addFound(info: NodeInfo, search: Search): void {
  const tab = activeTab();
  if (tab === undefined) return;
  const graph = activeGraph();
  const graphId = activeGraphId();
  const old = graph.nodes.get(search.replaces ?? "");
  if (old !== undefined) {
    apply(replaceType(graph, graphId, old, info));
    return;
  }
  const [x, y] = search.yields ? freePlace(search.at) : search.at;
  const node = nodeOf(info, freshId(graph.nodes.keys()), [Math.round(x), Math.round(y)]);
  const types = useServer.getState().nodes;
  const link = graph.links.get(search.into ?? "");
  apply(
    link === undefined
      ? addJoined(tab.workflow, graphId, types, node, search.link ?? {})
      : addInto(tab.workflow, graphId, types, node, link),
  );
  state().select([node.id]);
}

/** Add a node with values where there is room in the middle of what is shown. */
export function addWith(info: NodeInfo, values: JsonObject): void {
  if (activeTab() === undefined) return;
  const node = nodeOf(info, freshId(activeGraph().nodes.keys()), freePlace(placeBeside(undefined)));
  const item = { ...node, values: { ...node.values, ...values } };
  apply({ kind: "add", graph: activeGraphId(), nodes: [{ item }] });
  state().select([node.id]);
}

const NEW_SIZE = [260, 220] as const;
const GAP = 30;

/** The nearest place from here downwards where a new node covers no other. */
function freePlace([x, y]: Point): Point {
  const beside = [...activeGraph().nodes.values()]
    .map(boxOf)
    .filter(([left, , width]) => left < x + NEW_SIZE[0] && left + width > x)
    .sort((a, b) => a[1] - b[1]);
  let free = y;
  for (const [, top, , height] of beside) {
    if (top < free + NEW_SIZE[1] && top + height > free) free = top + height + GAP;
  }
  return [x, free];
}

/** Where a search opened by keyboard stands on the screen. */
export function searchPlace(): Point {
  const [x, y] = camera.current?.toScreen(camera.current.centre()) ?? [480, 360];
  return [x - 180, y - 160];
}

/** Where a node goes that is added by keyboard: beside what it belongs to, else in the middle. */
export function placeBeside(id: NodeId | undefined, side: "left" | "right" = "right"): Point {
  const node = activeGraph().nodes.get(id ?? "");
  if (node === undefined) {
    const [x, y] = camera.current?.centre() ?? [0, 0];
    return [x - NEW_SIZE[0] / 2, y - NEW_SIZE[1] / 2];
  }
  const [x, y] = node.position;
  const width = measuresAt(node.id)?.size[0] ?? NEW_SIZE[0];
  return [side === "right" ? x + width + 2 * GAP : x - NEW_SIZE[0] - 2 * GAP, y];
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
  if (found === "itself") {
    say(i18next.t("canvas.intoItself"));
    return true;
  }
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

export function groupSelected(title: string): void {
  const boxes = selectedNodes().map(boxOf);
  const [x, y] = camera.current?.centre() ?? [0, 0];
  const bounds = boxes.length === 0 ? ([x - 200, y - 150, 400, 300] as const) : frameOf(boxes);
  const group = { id: `group-${newUuid()}`, title, bounds, color: null, extra: {} };
  apply({ kind: "add", graph: activeGraphId(), groups: [{ item: group }] });
  state().select([group.id]);
}

function boxOf(node: GraphNode): Bounds {
  return [...node.position, ...(measuresAt(node.id)?.size ?? NEW_SIZE)];
}

export function subgraphOfSelected(name: string): void {
  const tab = activeTab();
  const ids = new Set(selectedNodes().map((node) => node.id));
  if (tab === undefined || ids.size === 0) return;
  const [change, instance] = makeSubgraph(tab.workflow, activeGraphId(), ids, name);
  const graph = activeGraphId();
  const [after] = applyChange(tab.workflow, change);
  const inside = graphOf(after, graph).nodes.get(instance)?.type ?? "";
  const moves = [...ids].map((id) => ({
    from: { graph, node: id, path: id },
    to: { graph: inside, node: id, path: `${instance}:${id}` },
  }));
  apply([change, ...movedPanel(tab.workflow, graph, moves)]);
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
    const graph = activeGraphId();
    const moves = [...graphOf(tab.workflow, node.type).nodes.keys()].map((id, at) => ({
      from: { graph: node.type, node: id, path: `${node.id}:${id}` },
      to: { graph, node: ids[at] ?? id, path: ids[at] ?? id },
    }));
    apply([change, ...movedPanel(tab.workflow, graph, moves)], group);
    shown.push(...ids);
  }
  state().select(shown);
}

// --- places ------------------------------------------------------------------------------------

/** Lay out the selected nodes and what selected frames hold, or all if those are fewer than two. */
export async function arrange(): Promise<void> {
  const graph = activeGraph();
  const graphId = activeGraphId();
  const all = [...graph.nodes.values()];
  const { selection = new Set<string>() } = activeTab() ?? {};
  const frames = [...graph.groups.values()].filter((group) => selection.has(group.id));
  const chosen = all.filter(
    (node) => selection.has(node.id) || frames.some((frame) => holds(frame.bounds, boxOf(node))),
  );
  const nodes = (chosen.length > 1 ? chosen : all).filter((node) => !isPinned(node));
  if (nodes.length === 0) return;
  const found = await layout(
    graph,
    nodes.map((node) => node.id),
    (id) => measuresAt(id)?.size ?? NEW_SIZE,
  );
  apply([
    { kind: "move", graph: graphId, to: found.nodes },
    ...Object.entries(found.groups).map(
      ([group, bounds]): Change => ({
        kind: "edit-group",
        graph: graphId,
        group,
        fields: { bounds },
      }),
    ),
  ]);
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

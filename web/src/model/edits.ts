/** What people do with nodes and links, as changes. */

import type { NodeInfo } from "../protocol/generated";
import { applyChange, batch, type Change, type NodeFields } from "./changes";
import {
  freshId,
  GRAPH_INPUT,
  GRAPH_OUTPUT,
  type Graph,
  type GraphId,
  type GraphNode,
  graphOf,
  type Link,
  linksInto,
  linksOfOrigin,
  linksOfTarget,
  makeNode,
  type NodeId,
  type Point,
  type Slot,
  type Workflow,
} from "./document";
import type { Json, JsonObject } from "./json";
import { emptiness, type InputShape, type NodeShape, type NodeTypes, nodeShape } from "./shape";
import { ANY, accepts } from "./sockets";
import { withBoundarySlot } from "./subgraphs";

export interface Output {
  readonly node: NodeId;
  readonly place: number;
}

export interface Input {
  readonly node: NodeId;
  readonly name: string;
}

/** A link that has one end: where it begins. */
export type LooseEnd =
  | { readonly from: Output; readonly type: string }
  | { readonly to: Input; readonly type: string };

/** Why a link cannot be. */
export type Refusal =
  | { readonly refused: "types"; readonly offered: string; readonly wanted: string }
  | { readonly refused: "circle" | "same-node" | "missing" };

/** The name of the socket at a subgraph's edge that makes a new input or output. */
export const NEW_SLOT = "\u0000new";

/** The type of an output; null if there is none. */
export function outputType(
  workflow: Workflow,
  graphId: GraphId,
  types: NodeTypes,
  output: Output,
): string | null {
  if (output.node === GRAPH_INPUT) {
    return workflow.subgraphs.get(graphId)?.inputs[output.place]?.type ?? null;
  }
  return shapeIn(workflow, graphId, types, output.node)?.outputs[output.place]?.type ?? null;
}

export function inputType(
  workflow: Workflow,
  graphId: GraphId,
  types: NodeTypes,
  input: Input,
): string | null {
  if (input.node === GRAPH_OUTPUT) {
    const slots = workflow.subgraphs.get(graphId)?.outputs ?? [];
    return slots.find((slot) => slot.name === input.name)?.type ?? null;
  }
  const shape = shapeIn(workflow, graphId, types, input.node);
  const found = [...(shape?.sockets ?? []), ...(shape?.widgets ?? [])];
  return found.find((one) => one.name === input.name)?.type ?? null;
}

/** The change that links an output to an input, in the place of what was linked there. */
export function connect(
  workflow: Workflow,
  graphId: GraphId,
  types: NodeTypes,
  from: Output,
  to: Input,
): Change | Refusal {
  if (from.node === to.node) return { refused: "same-node" };
  if (from.place < 0 || to.name === NEW_SLOT) {
    return withBoundarySlot(workflow, graphId, types, from, to);
  }
  const offered = outputType(workflow, graphId, types, from);
  const wanted = inputType(workflow, graphId, types, to);
  if (offered === null || wanted === null) return { refused: "missing" };
  if (!accepts(wanted, offered)) return { refused: "types", offered, wanted };
  const graph = graphOf(workflow, graphId);
  if (leadsTo(graph, to.node, from.node)) return { refused: "circle" };
  return linked(workflow, graphId, types, from, to, offered);
}

function linked(
  workflow: Workflow,
  graphId: GraphId,
  types: NodeTypes,
  from: Output,
  to: Input,
  type: string,
): Change {
  const graph = graphOf(workflow, graphId);
  const { place, edits } =
    to.node === GRAPH_OUTPUT
      ? { place: outputPlace(workflow, graphId, to.name), edits: [] }
      : placeFor(workflow, graphId, types, to);
  const replaced = (linksOfTarget(graph).get(to.node) ?? []).filter(
    (link) => link.toSlot === place,
  );
  const id = freshId(graph.links.keys());
  const link: Link = {
    id,
    from: from.node,
    fromSlot: from.place,
    to: to.node,
    toSlot: place,
    type,
  };
  return batch([
    ...outputSlots(workflow, graphId, types, from.node),
    ...edits,
    ...(replaced.length === 0
      ? []
      : [{ kind: "remove", graph: graphId, links: replaced.map((one) => one.id) } as const]),
    { kind: "add", graph: graphId, links: [{ item: link }] },
  ]);
}

function outputPlace(workflow: Workflow, graphId: GraphId, name: string): number {
  return workflow.subgraphs.get(graphId)?.outputs.findIndex((slot) => slot.name === name) ?? -1;
}

/** The slot where a link to an input ends, and what makes it if it is missing. */
function placeFor(
  workflow: Workflow,
  graphId: GraphId,
  types: NodeTypes,
  to: Input,
): { readonly place: number; readonly edits: readonly Change[] } {
  const graph = graphOf(workflow, graphId);
  const node = graph.nodes.get(to.node);
  const shape = shapeIn(workflow, graphId, types, to.node);
  const input = [...(shape?.sockets ?? []), ...(shape?.widgets ?? [])].find(
    (one) => one.name === to.name,
  );
  if (node === undefined || input === undefined) return { place: 0, edits: [] };
  const taken = new Set(linksInto(graph, node.id).map((link) => link.toSlot));
  const places = node.inputs.flatMap((slot, place) => (slot.name === to.name ? [place] : []));
  const free = places.find((place) => !taken.has(place));
  const place = input.many ? free : (places[0] ?? undefined);
  if (place !== undefined) {
    const slot = node.inputs[place];
    if (slot?.link === undefined) return { place, edits: [] };
    // A link that is not there any more is forgotten when a real one takes its place.
    const { link: _, ...clean } = slot;
    const inputs = node.inputs.with(place, clean);
    return { place, edits: [edit(graphId, node.id, { inputs })] };
  }
  const slot: Slot = {
    name: to.name,
    type: input.type,
    ...(input.widget === null ? {} : { widget: to.name }),
  };
  const inputs = [...node.inputs, slot];
  return { place: node.inputs.length, edits: [edit(graphId, node.id, { inputs })] };
}

/** Write the outputs of a node into the file, if it has them only by its type. */
function outputSlots(
  workflow: Workflow,
  graphId: GraphId,
  types: NodeTypes,
  id: NodeId,
): readonly Change[] {
  const node = graphOf(workflow, graphId).nodes.get(id);
  const shape = shapeIn(workflow, graphId, types, id);
  if (node === undefined || shape === null || shape.outputs.length <= node.outputs.length) {
    return [];
  }
  const more = shape.outputs.slice(node.outputs.length);
  const outputs = [...node.outputs, ...more.map(({ name, type }) => ({ name, type }))];
  return [edit(graphId, id, { outputs })];
}

/** Whether one can walk along links from one node to another. */
export function leadsTo(graph: Graph, from: NodeId, to: NodeId): boolean {
  const byOrigin = linksOfOrigin(graph);
  const seen = new Set<NodeId>();
  const waiting = [from];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    if (at === to) return true;
    if (seen.has(at)) continue;
    seen.add(at);
    for (const link of byOrigin.get(at) ?? []) waiting.push(link.to);
  }
  return false;
}

// --- adding and removing -----------------------------------------------------------------------

/** A new node of a type, with the type's slots and default values; of inputs that grow, the least. */
export function nodeOf(info: NodeInfo, id: NodeId, position: Point): GraphNode {
  const widgets = info.inputs.filter(
    (input) => input.widget !== null && (input.required || input.grows == null),
  );
  const values = Object.fromEntries(
    widgets.map((input) => [input.name, firstValue(input)] as const),
  ) as JsonObject;
  const seeds = widgets.filter((input) => input.widget?.kind === "seed");
  return makeNode({
    id,
    type: info.id,
    version: info.version,
    position,
    values,
    afterRun: Object.fromEntries(seeds.map((input) => [input.name, "fixed"])),
    inputs: info.inputs
      .filter((input) => input.widget === null)
      .map(({ name, type }) => ({ name, type })),
    outputs: info.outputs.map(({ name, type }) => ({ name, type })),
  });
}

/** A new node with links to what it was added for, in the place of what was linked there. */
export function addJoined(
  workflow: Workflow,
  graphId: GraphId,
  types: NodeTypes,
  node: GraphNode,
  { from, to }: { readonly from?: Output; readonly to?: Input },
): Change {
  const changes: Change[] = [];
  let now = workflow;
  const then = (change: Change | Refusal | null) => {
    if (change === null || "refused" in change) return;
    changes.push(change);
    [now] = applyChange(now, change);
  };
  then({ kind: "add", graph: graphId, nodes: [{ item: node }] });
  then(from === undefined ? null : joined(now, graphId, types, node.id, { from }));
  then(to === undefined ? null : joined(now, graphId, types, node.id, { to }));
  return batch(changes);
}

/** A link between one end and what fits best at a node, what is free first; null if nothing fits. */
export function joined(
  workflow: Workflow,
  graphId: GraphId,
  types: NodeTypes,
  node: NodeId,
  { from, to }: { readonly from?: Output; readonly to?: Input },
): Change | Refusal | null {
  const shape = shapeIn(workflow, graphId, types, node);
  if (shape === null) return null;
  if (from !== undefined) {
    const type = outputType(workflow, graphId, types, from) ?? ANY;
    const inputs = [...shape.sockets, ...shape.widgets];
    const fits = (one: InputShape) => accepts(one.type, type);
    const free = inputs.filter((one) => !one.linked);
    const input = bestOf(free, type, fits) ?? bestOf(inputs, type, fits);
    return input && connect(workflow, graphId, types, from, { node, name: input.name });
  }
  if (to === undefined) return null;
  const type = inputType(workflow, graphId, types, to) ?? ANY;
  const output = bestOf(shape.outputs, type, (one) => accepts(type, one.type));
  const place = output === null ? -1 : shape.outputs.indexOf(output);
  return place === -1 ? null : connect(workflow, graphId, types, { node, place }, to);
}

/** A new node put into a link: what went along the link goes through the node. */
export function addInto(
  workflow: Workflow,
  graphId: GraphId,
  types: NodeTypes,
  node: GraphNode,
  link: Link,
): Change {
  const removal: Change = { kind: "remove", graph: graphId, links: [link.id] };
  const [without] = applyChange(workflow, removal);
  return batch([
    removal,
    addJoined(without, graphId, types, node, endsOf(workflow, graphId, link)),
  ]);
}

/** Where a link begins and ends, by the names of the sockets. */
export function endsOf(
  workflow: Workflow,
  graphId: GraphId,
  link: Link,
): { readonly from: Output; readonly to: Input } {
  const slots =
    link.to === GRAPH_OUTPUT
      ? workflow.subgraphs.get(graphId)?.outputs
      : graphOf(workflow, graphId).nodes.get(link.to)?.inputs;
  return {
    from: { node: link.from, place: link.fromSlot },
    to: { node: link.to, name: slots?.[link.toSlot]?.name ?? "" },
  };
}

/** What fits: one of exactly the type before one that takes anything. */
function bestOf<T extends { readonly type: string }>(
  slots: readonly T[],
  type: string,
  fits: (slot: T) => boolean,
): T | null {
  const fitting = slots.filter(fits);
  return fitting.find((slot) => slot.type === type) ?? fitting[0] ?? null;
}

function firstValue(input: NodeInfo["inputs"][number]): Json {
  if (emptiness(input) === "null") return null;
  if (input.default !== null && input.default !== undefined) return input.default as Json;
  const widget = input.widget;
  if (widget === null) return null;
  switch (widget.kind) {
    case "int":
    case "float":
    case "seed":
      return Math.max(0, widget.min ?? 0);
    case "switch":
      return false;
    case "text":
    case "prompt":
      return "";
    case "choice":
    case "model":
    case "image":
      return (widget.choices[0] ?? "") as Json;
    default:
      return null;
  }
}

/** Remove nodes with their links, links, and frames. */
export function removeItems(
  graph: Graph,
  graphId: GraphId,
  nodes: Iterable<NodeId>,
  links: Iterable<string> = [],
  groups: Iterable<string> = [],
): Change {
  const gone = new Set([...nodes].filter((id) => graph.nodes.has(id)));
  const loose = new Set(links);
  for (const link of graph.links.values()) {
    if (gone.has(link.from) || gone.has(link.to)) loose.add(link.id);
  }
  return {
    kind: "remove",
    graph: graphId,
    nodes: [...gone],
    links: [...loose],
    groups: [...groups].filter((id) => graph.groups.has(id)),
  };
}

/** Take a Reroute into a link: the link goes through it. */
export function rerouteLink(graph: Graph, graphId: GraphId, link: Link, position: Point): Change {
  const id = freshId(graph.nodes.keys());
  const node = makeNode({
    id,
    type: "Reroute",
    position,
    inputs: [{ name: "", type: "*" }],
    outputs: [{ name: "", type: link.type }],
  });
  const first: Link = { ...link, to: id, toSlot: 0 };
  const second: Link = {
    ...link,
    id: freshId(graph.links.keys()),
    from: id,
    fromSlot: 0,
  };
  return batch([
    { kind: "remove", graph: graphId, links: [link.id] },
    {
      kind: "add",
      graph: graphId,
      nodes: [{ item: node }],
      links: [{ item: first }, { item: second }],
    },
  ]);
}

// --- the fields of nodes -----------------------------------------------------------------------

export function edit(graph: GraphId, node: NodeId, fields: NodeFields): Change {
  return { kind: "edit-node", graph, node, fields };
}

/** The fields with one of the node's flags set. */
export function withFlag(node: GraphNode, flag: "collapsed" | "pinned", on: boolean): NodeFields {
  const before = node.extra["flags"];
  const flags = { ...(typeof before === "object" && !Array.isArray(before) ? before : {}) };
  return { extra: { ...node.extra, flags: { ...flags, [flag]: on } } };
}

/** The fields with another colour; null takes it away. */
export function withColor(node: GraphNode, color: string | null): NodeFields {
  const { color: _, bgcolor: __, ...others } = node.extra;
  return { extra: color === null ? others : { ...others, color, bgcolor: color } };
}

/** Show a widget as an input, or an input as the widget that it was; its value stays. */
export function showAsInput(
  graph: Graph,
  graphId: GraphId,
  node: GraphNode,
  input: { readonly name: string; readonly type: string },
  shown: boolean,
): Change {
  const place = node.inputs.findIndex((slot) => slot.name === input.name);
  const before = node.inputs[place] ?? { name: input.name, type: input.type, widget: input.name };
  const { shown: _, ...extra } = before.extra ?? {};
  const slot: Slot = {
    ...before,
    extra: shown ? { ...extra, shown: "input" } : extra,
  };
  const inputs = place === -1 ? [...node.inputs, slot] : node.inputs.with(place, slot);
  const links = shown ? [] : linksInto(graph, node.id, input.name).map((link) => link.id);
  return batch([
    ...(links.length === 0 ? [] : [{ kind: "remove", graph: graphId, links } as const]),
    edit(graphId, node.id, { inputs }),
  ]);
}

/** Give a node another type. Values stay, all of them; links go where name or type fits. */
export function replaceType(
  graph: Graph,
  graphId: GraphId,
  node: GraphNode,
  info: NodeInfo,
): Change {
  const fresh = nodeOf(info, node.id, node.position);
  const lost: string[] = [];
  const moved: Link[] = [];
  const inputs: Slot[] = [...fresh.inputs];
  const taken = new Set<number>();
  for (const link of linksInto(graph, node.id)) {
    const slot = node.inputs[link.toSlot];
    const wanted = info.inputs.find(
      (one) => one.name === slot?.name && accepts(one.type, link.type),
    );
    if (wanted?.widget != null)
      inputs.push({ name: wanted.name, type: wanted.type, widget: wanted.name });
    const named = inputs.findIndex((one, at) => !taken.has(at) && one.name === wanted?.name);
    const typed = inputs.findIndex((one, at) => !taken.has(at) && accepts(one.type, link.type));
    const place = named === -1 ? typed : named;
    lost.push(link.id);
    if (place === -1) continue;
    taken.add(place);
    moved.push({ ...link, toSlot: place });
  }
  for (const link of linksOfOrigin(graph).get(node.id) ?? []) {
    const same = fresh.outputs[link.fromSlot]?.type === link.type ? link.fromSlot : -1;
    const place =
      same === -1 ? fresh.outputs.findIndex((one) => accepts(one.type, link.type)) : same;
    lost.push(link.id);
    if (place !== -1) moved.push({ ...link, fromSlot: place });
  }
  return batch([
    { kind: "remove", graph: graphId, links: lost },
    edit(graphId, node.id, {
      type: info.id,
      version: info.version,
      values: { ...fresh.values, ...node.values },
      afterRun: { ...fresh.afterRun, ...node.afterRun },
      inputs,
      outputs: fresh.outputs,
    }),
    { kind: "add", graph: graphId, links: moved.map((item) => ({ item })) },
  ]);
}

// --- alignment ---------------------------------------------------------------------------------

export type Alignment =
  | "left"
  | "right"
  | "top"
  | "bottom"
  | "center"
  | "middle"
  | "columns"
  | "rows";

export interface Placed {
  readonly id: NodeId;
  readonly position: Point;
  readonly size: readonly [number, number];
}

/** Where nodes go when they are aligned, or spread evenly. */
export function aligned(
  nodes: readonly Placed[],
  how: Alignment,
): { readonly [id: NodeId]: Point } {
  const left = Math.min(...nodes.map((node) => node.position[0]));
  const top = Math.min(...nodes.map((node) => node.position[1]));
  const right = Math.max(...nodes.map((node) => node.position[0] + node.size[0]));
  const bottom = Math.max(...nodes.map((node) => node.position[1] + node.size[1]));
  if (how === "columns") return spread(nodes, 0, left, right);
  if (how === "rows") return spread(nodes, 1, top, bottom);
  const point = ({ position: [x, y], size: [width, height] }: Placed): Point => {
    if (how === "left") return [left, y];
    if (how === "right") return [right - width, y];
    if (how === "top") return [x, top];
    if (how === "bottom") return [x, bottom - height];
    return how === "center" ? [(left + right - width) / 2, y] : [x, (top + bottom - height) / 2];
  };
  return Object.fromEntries(nodes.map((node) => [node.id, point(node)]));
}

function spread(
  nodes: readonly Placed[],
  axis: 0 | 1,
  from: number,
  to: number,
): { readonly [id: NodeId]: Point } {
  const ordered = [...nodes].sort((a, b) => a.position[axis] - b.position[axis]);
  const filled = ordered.reduce((total, node) => total + node.size[axis], 0);
  const gap = ordered.length < 2 ? 0 : (to - from - filled) / (ordered.length - 1);
  let at = from;
  return Object.fromEntries(
    ordered.map((node): [NodeId, Point] => {
      const here = at;
      at += node.size[axis] + gap;
      return [node.id, axis === 0 ? [here, node.position[1]] : [node.position[0], here]];
    }),
  );
}

function shapeIn(
  workflow: Workflow,
  graphId: GraphId,
  types: NodeTypes,
  id: NodeId,
): NodeShape | null {
  const graph = graphOf(workflow, graphId);
  const node = graph.nodes.get(id);
  return node === undefined ? null : nodeShape(node, graph, workflow, types);
}

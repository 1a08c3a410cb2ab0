/** Every edit of a workflow as a value, and what takes it back. */

import {
  type Bounds,
  type Graph,
  type GraphId,
  type GraphNode,
  type Group,
  type GroupId,
  graphOf,
  type Link,
  type LinkId,
  type NodeId,
  type Point,
  type Size,
  type Subgraph,
  type Workflow,
  withGraph,
} from "./document";
import type { Json, JsonObject } from "./json";

/** Something that is put at a place in the file's order; at the end if no place is given. */
export interface Placed<T> {
  readonly item: T;
  readonly at?: number;
}

/** What can be set on a node besides its place and its values. */
export type NodeFields = Partial<Omit<GraphNode, "id" | "position" | "size">>;
export type GroupFields = Partial<Omit<Group, "id">>;
export type SubgraphFields = Partial<Pick<Subgraph, "name" | "inputs" | "outputs">>;

export type Change =
  | {
      readonly kind: "add";
      readonly graph: GraphId;
      readonly nodes?: readonly Placed<GraphNode>[];
      readonly links?: readonly Placed<Link>[];
      readonly groups?: readonly Placed<Group>[];
    }
  | {
      readonly kind: "remove";
      readonly graph: GraphId;
      readonly nodes?: readonly NodeId[];
      readonly links?: readonly LinkId[];
      readonly groups?: readonly GroupId[];
    }
  | {
      readonly kind: "move";
      readonly graph: GraphId;
      readonly to: { readonly [id: NodeId]: Point };
    }
  | {
      readonly kind: "resize";
      readonly graph: GraphId;
      readonly node: NodeId;
      readonly size: Size | null;
    }
  | {
      readonly kind: "set-value";
      readonly graph: GraphId;
      readonly node: NodeId;
      readonly name: string;
      /** undefined: the node has no value of that name. */
      readonly value: Json | undefined;
    }
  | {
      readonly kind: "edit-node";
      readonly graph: GraphId;
      readonly node: NodeId;
      readonly fields: NodeFields;
    }
  | {
      readonly kind: "edit-group";
      readonly graph: GraphId;
      readonly group: GroupId;
      readonly fields: GroupFields;
    }
  | { readonly kind: "set-panel"; readonly graph: GraphId; readonly panel: JsonObject }
  | { readonly kind: "set-models"; readonly graph: GraphId; readonly models: readonly JsonObject[] }
  | { readonly kind: "set-extra"; readonly graph: GraphId; readonly extra: JsonObject }
  | { readonly kind: "add-subgraph"; readonly subgraph: Subgraph; readonly at?: number }
  | { readonly kind: "remove-subgraph"; readonly id: GraphId }
  | { readonly kind: "edit-subgraph"; readonly id: GraphId; readonly fields: SubgraphFields }
  | { readonly kind: "replace"; readonly workflow: Workflow }
  | { readonly kind: "batch"; readonly changes: readonly Change[] };

/** The workflow after a change, and the change that takes it back. What is missing is passed over. */
export function applyChange(workflow: Workflow, change: Change): readonly [Workflow, Change] {
  switch (change.kind) {
    case "batch":
      return applyAll(workflow, change.changes);
    case "replace":
      return [change.workflow, { kind: "replace", workflow }];
    case "add-subgraph":
    case "remove-subgraph":
    case "edit-subgraph":
      return applyToSubgraphs(workflow, change);
    default: {
      const before = graphOf(workflow, change.graph);
      const [after, inverse] = applyToGraph(before, change);
      return [after === before ? workflow : withGraph(workflow, change.graph, after), inverse];
    }
  }
}

/** Changes as one. */
export function batch(changes: readonly Change[]): Change {
  const [only] = changes;
  return changes.length === 1 && only !== undefined ? only : { kind: "batch", changes };
}

function applyAll(workflow: Workflow, changes: readonly Change[]): readonly [Workflow, Change] {
  let now = workflow;
  const inverses: Change[] = [];
  for (const change of changes) {
    const [after, inverse] = applyChange(now, change);
    now = after;
    inverses.unshift(inverse);
  }
  return [now, batch(inverses)];
}

// --- subgraphs ---------------------------------------------------------------------------------

type SubgraphChange = Extract<
  Change,
  { kind: "add-subgraph" | "remove-subgraph" | "edit-subgraph" }
>;

function applyToSubgraphs(workflow: Workflow, change: SubgraphChange): readonly [Workflow, Change] {
  const known = workflow.subgraphs;
  if (change.kind === "add-subgraph") {
    const { subgraph, at } = change;
    const before = known.get(subgraph.id);
    const subgraphs = inserted(known, [{ item: subgraph, ...(at === undefined ? {} : { at }) }]);
    const undo: Change = { kind: "remove-subgraph", id: subgraph.id };
    const inverse = before === undefined ? undo : batch([undo, restored(known, before)]);
    return [{ ...workflow, subgraphs }, inverse];
  }
  const id = change.id;
  const before = known.get(id);
  if (before === undefined) return [workflow, batch([])];
  if (change.kind === "remove-subgraph") {
    const subgraphs = new Map(known);
    subgraphs.delete(id);
    return [{ ...workflow, subgraphs }, restored(known, before)];
  }
  const subgraphs = new Map(known).set(id, { ...before, ...change.fields });
  const fields = picked(before, change.fields);
  return [
    { ...workflow, subgraphs },
    { kind: "edit-subgraph", id, fields },
  ];
}

function restored(known: Workflow["subgraphs"], subgraph: Subgraph): Change {
  return { kind: "add-subgraph", subgraph, at: [...known.keys()].indexOf(subgraph.id) };
}

// --- one graph ---------------------------------------------------------------------------------

type GraphChange = Exclude<Change, SubgraphChange | { kind: "batch" | "replace" }>;

function applyToGraph(graph: Graph, change: GraphChange): readonly [Graph, Change] {
  switch (change.kind) {
    case "add":
      return add(graph, change);
    case "remove":
      return remove(graph, change);
    case "move":
      return move(graph, change);
    case "resize":
      return editNode(graph, change.node, { size: change.size }, (before) => ({
        ...change,
        size: before.size,
      }));
    case "set-value":
      return setValue(graph, change);
    case "edit-node":
      return editNode(graph, change.node, change.fields, (before) => ({
        ...change,
        fields: picked(before, change.fields),
      }));
    case "edit-group":
      return editGroup(graph, change);
    case "set-panel":
      return [
        { ...graph, panel: change.panel },
        { ...change, panel: graph.panel },
      ];
    case "set-models":
      return [
        { ...graph, models: change.models },
        { ...change, models: graph.models },
      ];
    case "set-extra":
      return [
        { ...graph, extra: change.extra },
        { ...change, extra: graph.extra },
      ];
  }
}

type Of<K extends Change["kind"]> = Extract<Change, { kind: K }>;

function add(graph: Graph, change: Of<"add">): readonly [Graph, Change] {
  const { nodes = [], links = [], groups = [] } = change;
  const after = {
    ...graph,
    nodes: inserted(graph.nodes, nodes),
    links: inserted(graph.links, links),
    groups: inserted(graph.groups, groups),
  };
  const undo = {
    kind: "remove",
    graph: change.graph,
    nodes: nodes.map((one) => one.item.id),
    links: links.map((one) => one.item.id),
    groups: groups.map((one) => one.item.id),
  } as const;
  const replaced = {
    nodes: placesOf(graph.nodes, undo.nodes),
    links: placesOf(graph.links, undo.links),
    groups: placesOf(graph.groups, undo.groups),
  };
  const nothing = Object.values(replaced).every((list) => list.length === 0);
  const again: Change = { kind: "add", graph: change.graph, ...replaced };
  return [after, nothing ? undo : batch([undo, again])];
}

function remove(graph: Graph, change: Of<"remove">): readonly [Graph, Change] {
  const { nodes = [], links = [], groups = [] } = change;
  const inverse: Change = {
    kind: "add",
    graph: change.graph,
    nodes: placesOf(graph.nodes, nodes),
    links: placesOf(graph.links, links),
    groups: placesOf(graph.groups, groups),
  };
  const after = {
    ...graph,
    nodes: without(graph.nodes, nodes),
    links: without(graph.links, links),
    groups: without(graph.groups, groups),
  };
  return [after, inverse];
}

function move(graph: Graph, change: Of<"move">): readonly [Graph, Change] {
  const nodes = new Map(graph.nodes);
  const before: Record<NodeId, Point> = {};
  for (const [id, position] of Object.entries(change.to)) {
    const node = graph.nodes.get(id);
    if (node === undefined) continue;
    before[id] = node.position;
    nodes.set(id, { ...node, position });
  }
  return [
    { ...graph, nodes },
    { ...change, to: before },
  ];
}

function setValue(graph: Graph, change: Of<"set-value">): readonly [Graph, Change] {
  const node = graph.nodes.get(change.node);
  if (node === undefined) return [graph, batch([])];
  const had = Object.hasOwn(node.values, change.name);
  const before = had ? node.values[change.name] : undefined;
  const values = { ...node.values };
  if (change.value === undefined) delete values[change.name];
  else values[change.name] = change.value;
  const nodes = new Map(graph.nodes).set(node.id, { ...node, values });
  if (had && change.value === undefined) {
    // The value's place among the others is part of what comes back.
    const fields = { values: node.values };
    return [
      { ...graph, nodes },
      { kind: "edit-node", graph: change.graph, node: node.id, fields },
    ];
  }
  return [
    { ...graph, nodes },
    { ...change, value: before },
  ];
}

function editNode(
  graph: Graph,
  id: NodeId,
  fields: Partial<GraphNode>,
  inverse: (before: GraphNode) => Change,
): readonly [Graph, Change] {
  const node = graph.nodes.get(id);
  if (node === undefined) return [graph, batch([])];
  const nodes = new Map(graph.nodes).set(id, { ...node, ...fields });
  return [{ ...graph, nodes }, inverse(node)];
}

function editGroup(graph: Graph, change: Of<"edit-group">): readonly [Graph, Change] {
  const group = graph.groups.get(change.group);
  if (group === undefined) return [graph, batch([])];
  const groups = new Map(graph.groups).set(group.id, { ...group, ...change.fields });
  return [
    { ...graph, groups },
    { ...change, fields: picked(group, change.fields) },
  ];
}

// --- maps that keep their order ----------------------------------------------------------------

function inserted<T extends { readonly id: string }>(
  known: ReadonlyMap<string, T>,
  placed: readonly Placed<T>[],
): ReadonlyMap<string, T> {
  if (placed.length === 0) return known;
  const map = new Map(known);
  if (placed.every((one) => one.at === undefined)) {
    for (const { item } of placed) map.set(item.id, item);
    return map;
  }
  for (const { item } of placed) map.delete(item.id);
  return new Map(merged([...map.values()], placed).map((item) => [item.id, item]));
}

/** The items with the placed ones among them, each at its place in the whole. */
function merged<T>(items: readonly T[], placed: readonly Placed<T>[]): readonly T[] {
  const ordered = placed
    .map((one) => ({ item: one.item, at: one.at ?? Number.POSITIVE_INFINITY }))
    .sort((a, b) => a.at - b.at);
  const result: T[] = [];
  let next = 0;
  for (const item of items) {
    for (let one = ordered[next]; one !== undefined && one.at <= result.length; ) {
      result.push(one.item);
      next += 1;
      one = ordered[next];
    }
    result.push(item);
  }
  return [...result, ...ordered.slice(next).map((one) => one.item)];
}

function placesOf<T>(known: ReadonlyMap<string, T>, ids: readonly string[]): readonly Placed<T>[] {
  if (ids.length === 0) return [];
  const wanted = new Set(ids);
  const found: Placed<T>[] = [];
  let at = 0;
  for (const [id, item] of known) {
    if (wanted.has(id)) found.push({ item, at });
    at += 1;
  }
  return found;
}

function without<T>(known: ReadonlyMap<string, T>, ids: readonly string[]): ReadonlyMap<string, T> {
  if (ids.length === 0) return known;
  const map = new Map(known);
  for (const id of ids) map.delete(id);
  return map;
}

/** Of a value, the fields that another one names. */
function picked<T extends object>(value: T, fields: Partial<T>): Partial<T> {
  return Object.fromEntries(
    (Object.keys(fields) as (keyof T)[]).map((name) => [name, value[name]]),
  ) as Partial<T>;
}

/** The frame that holds what is given, with a margin. */
export function frameAround(bounds: readonly Bounds[], margin: number): Bounds {
  const left = Math.min(...bounds.map(([x]) => x)) - margin;
  const top = Math.min(...bounds.map(([, y]) => y)) - margin;
  const right = Math.max(...bounds.map(([x, , width]) => x + width)) + margin;
  const bottom = Math.max(...bounds.map(([, y, , height]) => y + height)) + margin;
  return [left, top, right - left, bottom - top];
}

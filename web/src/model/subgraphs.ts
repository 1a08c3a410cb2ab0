/** Subgraphs: make one of nodes, take one apart, promote what is inside by stable ids. */

import { batch, type Change } from "./changes";
import {
  EMPTY_GRAPH,
  freshId,
  GRAPH_INPUT,
  GRAPH_OUTPUT,
  type Graph,
  type GraphId,
  type GraphNode,
  graphOf,
  type Link,
  linksInto,
  linksOutOf,
  makeNode,
  type NodeId,
  type Point,
  type Slot,
  TOP,
  type Workflow,
} from "./document";
import { type Input, inputType, NEW_SLOT, type Output, outputType, type Refusal } from "./edits";
import { newUuid } from "./ids";
import type { Json, JsonObject } from "./json";
import type { NodeTypes } from "./shape";

// --- making ------------------------------------------------------------------------------------

/** The nodes as a subgraph, and one instance of it in their place; its id is the second value. */
export function makeSubgraph(
  workflow: Workflow,
  graphId: GraphId,
  ids: ReadonlySet<NodeId>,
  name: string,
): readonly [Change, NodeId] {
  const graph = graphOf(workflow, graphId);
  const nodes = [...graph.nodes.values()].filter((node) => ids.has(node.id));
  const links = [...graph.links.values()];
  const inside = links.filter((link) => ids.has(link.from) && ids.has(link.to));
  const incoming = links.filter((link) => !ids.has(link.from) && ids.has(link.to));
  const outgoing = links.filter((link) => ids.has(link.from) && !ids.has(link.to));
  const inputs = boundary(
    incoming,
    (link) => `${link.from} ${link.fromSlot}`,
    (link) => graph.nodes.get(link.to)?.inputs[link.toSlot],
  );
  const outputs = boundary(
    outgoing,
    (link) => `${link.from} ${link.fromSlot}`,
    (link) => graph.nodes.get(link.from)?.outputs[link.fromSlot],
  );
  const used = freshId(links.map((link) => link.id));
  let next = Number(used);
  const fresh = () => String(next++);
  const innerLinks: Link[] = [
    ...inside,
    ...incoming.map((link) => ({
      ...link,
      from: GRAPH_INPUT,
      fromSlot: inputs.place(link),
    })),
    ...outputs.firsts.map((link, place) => ({
      ...link,
      id: fresh(),
      to: GRAPH_OUTPUT,
      toSlot: place,
    })),
  ];
  const id = newUuid();
  const instance = makeNode({
    id: freshId(graph.nodes.keys()),
    type: id,
    title: name,
    position: middle(nodes),
    inputs: inputs.slots.map(instanceSlot),
    outputs: outputs.slots.map(instanceSlot),
  });
  const outerLinks: Link[] = [
    ...inputs.firsts.map((link, place) => ({
      ...link,
      id: fresh(),
      to: instance.id,
      toSlot: place,
    })),
    ...outgoing.map((link) => ({ ...link, from: instance.id, fromSlot: outputs.place(link) })),
  ];
  const inner: Graph = { ...EMPTY_GRAPH, nodes: byId(nodes), links: byId(innerLinks) };
  const change = batch([
    {
      kind: "add-subgraph",
      subgraph: { id, name, inputs: inputs.slots, outputs: outputs.slots, graph: inner },
    },
    {
      kind: "remove",
      graph: graphId,
      nodes: [...ids],
      links: [...inside, ...incoming, ...outgoing].map((link) => link.id),
    },
    {
      kind: "add",
      graph: graphId,
      nodes: [{ item: instance }],
      links: outerLinks.map((item) => ({ item })),
    },
  ]);
  return [change, instance.id];
}

/** The slots that links over the edge need: one for each source. */
function boundary(
  links: readonly Link[],
  sourceOf: (link: Link) => string,
  slotOf: (link: Link) => Slot | undefined,
) {
  const places = new Map<string, number>();
  const slots: Slot[] = [];
  const firsts: Link[] = [];
  for (const link of links) {
    const source = sourceOf(link);
    if (places.has(source)) continue;
    places.set(source, slots.length);
    const slot = slotOf(link);
    const name = freeName(slot?.name || link.type.toLowerCase(), slots);
    const widget = slot?.widget === undefined ? {} : { widget: name };
    slots.push({ name, type: link.type, ...widget, extra: { id: newUuid() } });
    firsts.push(link);
  }
  return { slots, firsts, place: (link: Link) => places.get(sourceOf(link)) ?? 0 };
}

// --- taking apart ------------------------------------------------------------------------------

/** The nodes of an instance in its place, with its values; their ids are the second value. */
export function unpackSubgraph(
  workflow: Workflow,
  graphId: GraphId,
  instance: GraphNode,
): readonly [Change, readonly NodeId[]] {
  const graph = graphOf(workflow, graphId);
  const subgraph = workflow.subgraphs.get(instance.type);
  if (subgraph === undefined) return [batch([]), []];
  let nextNode = Number(freshId(graph.nodes.keys()));
  let nextLink = Number(freshId(graph.links.keys()));
  const renamed = new Map([...subgraph.graph.nodes.keys()].map((id) => [id, String(nextNode++)]));
  const corner = leftTop([...subgraph.graph.nodes.values()]);
  const nodes = [...subgraph.graph.nodes.values()].map((node) => ({
    ...node,
    id: renamed.get(node.id) ?? node.id,
    position: shifted(node.position, instance.position, corner),
    values: { ...node.values, ...givenValues(subgraph.graph, subgraph.inputs, instance, node) },
  }));
  const links: Link[] = [];
  const add = (link: Omit<Link, "id">) => links.push({ ...link, id: String(nextLink++) });
  const outer = [...graph.links.values()];
  const into = (place: number) =>
    outer.find(
      (link) =>
        link.to === instance.id &&
        instance.inputs[link.toSlot]?.name === subgraph.inputs[place]?.name,
    );
  for (const link of subgraph.graph.links.values()) {
    if (link.to === GRAPH_OUTPUT) continue;
    const to = renamed.get(link.to) ?? link.to;
    if (link.from !== GRAPH_INPUT) add({ ...link, from: renamed.get(link.from) ?? link.from, to });
    else {
      const source = into(link.fromSlot);
      if (source !== undefined) add({ ...link, from: source.from, fromSlot: source.fromSlot, to });
    }
  }
  for (const link of outer.filter((one) => one.from === instance.id)) {
    const inner = [...subgraph.graph.links.values()].find(
      (one) => one.to === GRAPH_OUTPUT && one.toSlot === link.fromSlot,
    );
    if (inner === undefined) continue;
    const source = inner.from === GRAPH_INPUT ? into(inner.fromSlot) : inner;
    if (source === undefined) continue;
    const from = inner.from === GRAPH_INPUT ? source.from : (renamed.get(inner.from) ?? inner.from);
    add({ ...link, from, fromSlot: source.fromSlot });
  }
  const change = batch([
    {
      kind: "remove",
      graph: graphId,
      nodes: [instance.id],
      links: outer
        .filter((link) => link.from === instance.id || link.to === instance.id)
        .map((link) => link.id),
    },
    {
      kind: "add",
      graph: graphId,
      nodes: nodes.map((item) => ({ item })),
      links: links.map((item) => ({ item })),
    },
    ...(instancesOf(workflow, instance.type).length > 1
      ? []
      : [{ kind: "remove-subgraph", id: instance.type } as const]),
  ]);
  return [change, nodes.map((node) => node.id)];
}

/** The values that an instance gives to a node inside it. */
function givenValues(
  inner: Graph,
  inputs: readonly Slot[],
  instance: GraphNode,
  node: GraphNode,
): JsonObject {
  const given: Record<string, Json> = {};
  for (const link of inner.links.values()) {
    if (link.from !== GRAPH_INPUT || link.to !== node.id) continue;
    const promoted = inputs[link.fromSlot]?.name;
    const name = node.inputs[link.toSlot]?.name;
    if (promoted === undefined || name === undefined) continue;
    const value = instance.values[promoted];
    if (value !== undefined) given[name] = value;
  }
  return given;
}

// --- promoting ---------------------------------------------------------------------------------

/** Make an input or widget of a node inside a subgraph an input of the subgraph's instances. */
export function promoteInput(
  workflow: Workflow,
  graphId: GraphId,
  node: GraphNode,
  input: {
    readonly name: string;
    readonly type: string;
    readonly isWidget: boolean;
    readonly value?: Json | undefined;
  },
): Change {
  const subgraph = workflow.subgraphs.get(graphId);
  if (subgraph === undefined) return batch([]);
  const name = freeName(input.name, subgraph.inputs);
  const slot: Slot = {
    name,
    type: input.type,
    ...(input.isWidget ? { widget: name } : {}),
    extra: { id: newUuid() },
  };
  const at = node.inputs.findIndex((one) => one.name === input.name);
  const place = at === -1 ? node.inputs.length : at;
  const own: Slot = {
    name: input.name,
    type: input.type,
    ...(input.isWidget ? { widget: input.name } : {}),
  };
  const link: Link = {
    id: freshId(subgraph.graph.links.keys()),
    from: GRAPH_INPUT,
    fromSlot: subgraph.inputs.length,
    to: node.id,
    toSlot: place,
    type: input.type,
  };
  const before = [...subgraph.graph.links.values()].filter(
    (one) => one.to === node.id && one.toSlot === place,
  );
  return batch([
    ...(at === -1
      ? [
          {
            kind: "edit-node",
            graph: graphId,
            node: node.id,
            fields: { inputs: [...node.inputs, own] },
          } as const,
        ]
      : []),
    { kind: "remove", graph: graphId, links: before.map((one) => one.id) },
    ...newInput(workflow, graphId, slot, input.isWidget ? input.value : undefined),
    { kind: "add", graph: graphId, links: [{ item: link }] },
  ]);
}

/** Call an input or output of a subgraph something; links and values know it by its name. */
export function labelled(
  workflow: Workflow,
  graphId: GraphId,
  side: "inputs" | "outputs",
  name: string,
  label: string,
): Change {
  const slots = workflow.subgraphs.get(graphId)?.[side] ?? [];
  const named = (slot: Slot): Slot => {
    const { label: _, localized_name: __, ...extra } = slot.extra ?? {};
    return { ...slot, extra: label === "" ? extra : { ...extra, label } };
  };
  const fields = { [side]: slots.map((slot) => (slot.name === name ? named(slot) : slot)) };
  return { kind: "edit-subgraph", id: graphId, fields };
}

/** Take an input of a subgraph away: from its edge, and from all its instances. */
export function demoteInput(workflow: Workflow, graphId: GraphId, name: string): Change {
  const subgraph = workflow.subgraphs.get(graphId);
  const place = subgraph?.inputs.findIndex((slot) => slot.name === name) ?? -1;
  if (subgraph === undefined || place === -1) return batch([]);
  const inner = [...subgraph.graph.links.values()].filter((link) => link.from === GRAPH_INPUT);
  return batch([
    withoutPlace(graphId, inner, "fromSlot", place),
    { kind: "edit-subgraph", id: graphId, fields: { inputs: without(subgraph.inputs, place) } },
    ...instancesOf(workflow, graphId).flatMap(({ graph, node }): Change[] => {
      const at = node.inputs.findIndex((slot) => slot.name === name);
      const { [name]: _, ...values } = node.values;
      const fields = at === -1 ? { values } : { values, inputs: without(node.inputs, at) };
      const links = linksInto(graphOf(workflow, graph), node.id);
      return [
        ...(at === -1 ? [] : [withoutPlace(graph, links, "toSlot", at)]),
        { kind: "edit-node", graph, node: node.id, fields },
      ];
    }),
  ]);
}

/** Take an output of a subgraph away: from its edge, and from all its instances. */
export function demoteOutput(workflow: Workflow, graphId: GraphId, name: string): Change {
  const subgraph = workflow.subgraphs.get(graphId);
  const place = subgraph?.outputs.findIndex((slot) => slot.name === name) ?? -1;
  if (subgraph === undefined || place === -1) return batch([]);
  const inner = [...subgraph.graph.links.values()].filter((link) => link.to === GRAPH_OUTPUT);
  return batch([
    withoutPlace(graphId, inner, "toSlot", place),
    { kind: "edit-subgraph", id: graphId, fields: { outputs: without(subgraph.outputs, place) } },
    ...instancesOf(workflow, graphId).flatMap(({ graph, node }): Change[] => [
      withoutPlace(graph, linksOutOf(graphOf(workflow, graph), node.id), "fromSlot", place),
      {
        kind: "edit-node",
        graph,
        node: node.id,
        fields: { outputs: without(node.outputs, place) },
      },
    ]),
  ]);
}

/** Links without those at a place, and with the places behind it moved up. */
function withoutPlace(
  graph: GraphId,
  links: readonly Link[],
  end: "fromSlot" | "toSlot",
  place: number,
): Change {
  const gone = links.filter((link) => link[end] === place).map((link) => link.id);
  const later = links.filter((link) => link[end] > place);
  return batch([
    { kind: "remove", graph, links: gone },
    replacedLinks(graph, later, (link) => ({ ...link, [end]: link[end] - 1 })),
  ]);
}

function replacedLinks(graph: GraphId, links: readonly Link[], by: (link: Link) => Link): Change {
  return batch([
    { kind: "remove", graph, links: links.map((link) => link.id) },
    { kind: "add", graph, links: links.map((link) => ({ item: by(link) })) },
  ]);
}

/** A link from or to the socket at a subgraph's edge that makes a new input or output. */
export function withBoundarySlot(
  workflow: Workflow,
  graphId: GraphId,
  types: NodeTypes,
  from: Output,
  to: Input,
): Change | Refusal {
  const subgraph = workflow.subgraphs.get(graphId);
  const graph = graphOf(workflow, graphId);
  if (subgraph === undefined) return { refused: "missing" };
  if (from.node === GRAPH_INPUT) {
    const node = graph.nodes.get(to.node);
    const type = inputType(workflow, graphId, types, to);
    if (node === undefined || type === null) return { refused: "missing" };
    const isWidget = Object.hasOwn(node.values, to.name);
    const value = node.values[to.name];
    return promoteInput(workflow, graphId, node, { name: to.name, type, isWidget, value });
  }
  const type = outputType(workflow, graphId, types, from);
  if (type === null) return { refused: "missing" };
  const origin = graph.nodes.get(from.node);
  const name = freeName(origin?.outputs[from.place]?.name || type.toLowerCase(), subgraph.outputs);
  const slot: Slot = { name, type, extra: { id: newUuid() } };
  const link: Link = {
    id: freshId(graph.links.keys()),
    from: from.node,
    fromSlot: from.place,
    to: GRAPH_OUTPUT,
    toSlot: subgraph.outputs.length,
    type,
  };
  return batch([
    { kind: "edit-subgraph", id: graphId, fields: { outputs: [...subgraph.outputs, slot] } },
    ...instancesOf(workflow, graphId).map(
      ({ graph: outer, node }): Change => ({
        kind: "edit-node",
        graph: outer,
        node: node.id,
        fields: { outputs: [...node.outputs, instanceSlot(slot)] },
      }),
    ),
    { kind: "add", graph: graphId, links: [{ item: link }] },
  ]);
}

function newInput(
  workflow: Workflow,
  graphId: GraphId,
  slot: Slot,
  value: Json | undefined,
): readonly Change[] {
  const inputs = workflow.subgraphs.get(graphId)?.inputs ?? [];
  return [
    { kind: "edit-subgraph", id: graphId, fields: { inputs: [...inputs, slot] } },
    ...instancesOf(workflow, graphId).map(
      ({ graph, node }): Change => ({
        kind: "edit-node",
        graph,
        node: node.id,
        fields: {
          inputs: [...node.inputs, instanceSlot(slot)],
          values: value === undefined ? node.values : { ...node.values, [slot.name]: value },
        },
      }),
    ),
  ];
}

/** Every use of a subgraph, and the graph that it is used in. */
export function instancesOf(
  workflow: Workflow,
  id: GraphId,
): readonly { readonly graph: GraphId; readonly node: GraphNode }[] {
  const graphs: (readonly [GraphId, Graph])[] = [
    [TOP, workflow.top],
    ...[...workflow.subgraphs.values()].map((part) => [part.id, part.graph] as const),
  ];
  return graphs.flatMap(([graph, { nodes }]) =>
    [...nodes.values()].filter((node) => node.type === id).map((node) => ({ graph, node })),
  );
}

// --- pieces ------------------------------------------------------------------------------------

/** The slot on an instance; what the subgraph calls it stands in the subgraph. */
function instanceSlot(slot: Slot): Slot {
  return {
    name: slot.name,
    type: slot.type,
    ...(slot.widget === undefined ? {} : { widget: slot.widget }),
  };
}

function freeName(name: string, taken: readonly Slot[]): string {
  const names = new Set(taken.map((slot) => slot.name));
  if (!names.has(name) && name !== NEW_SLOT) return name;
  let number = 2;
  while (names.has(`${name}_${number}`)) number += 1;
  return `${name}_${number}`;
}

function without<T>(list: readonly T[], place: number): readonly T[] {
  return list.filter((_, at) => at !== place);
}

function byId<T extends { readonly id: string }>(items: readonly T[]): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [item.id, item]));
}

function leftTop(nodes: readonly GraphNode[]): Point {
  return [
    Math.min(...nodes.map((node) => node.position[0])),
    Math.min(...nodes.map((node) => node.position[1])),
  ];
}

function middle(nodes: readonly GraphNode[]): Point {
  const [x, y] = leftTop(nodes);
  const right = Math.max(...nodes.map((node) => node.position[0]));
  const bottom = Math.max(...nodes.map((node) => node.position[1]));
  return [Math.round((x + right) / 2), Math.round((y + bottom) / 2)];
}

function shifted([x, y]: Point, to: Point, from: Point): Point {
  return [x - from[0] + to[0], y - from[1] + to[1]];
}

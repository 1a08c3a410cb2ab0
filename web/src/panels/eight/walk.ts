/** Following links back to where something comes from, through all that only passes it on. Pure. */

import {
  GRAPH_INPUT,
  GRAPH_OUTPUT,
  type Graph,
  type GraphId,
  type GraphNode,
  graphOf,
  type Link,
  linksOfTarget,
  type NodeId,
  TOP,
  type Workflow,
} from "../../model/document";

/** A node in use; `inside` is the subgraph's instance that it lies in. */
export interface Place {
  readonly graph: GraphId;
  readonly node: NodeId;
  readonly inside: Place | null;
}

/** Where a link leads to. */
export type Source =
  | { readonly kind: "node"; readonly at: Place; readonly slot: number }
  | { readonly kind: "primitive"; readonly at: Place }
  | { readonly kind: "promoted"; readonly instance: Place; readonly name: string }
  | { readonly kind: "none" };

const NONE: Source = { kind: "none" };
const PRIMITIVE = "PrimitiveNode";
const PASSING = new Set(["Reroute", "Reroute (rgthree)", "SetNode", "easy setNode"]);
const SETTERS = new Set(["SetNode", "easy setNode"]);
const GETTERS = new Set(["GetNode", "easy getNode"]);
const MOST_STEPS = 10_000;
const MOST_NESTED = 32;

/** The node at a place; undefined for the two ends of a subgraph. */
export function nodeAt(workflow: Workflow, place: Place): GraphNode | undefined {
  return graphOf(workflow, place.graph).nodes.get(place.node);
}

/** The id of a node in the workflow that runs: `"5:12"` is node 12 inside instance 5. */
export function pathOf(place: Place): string {
  return place.inside === null ? place.node : `${pathOf(place.inside)}:${place.node}`;
}

/** Every node that takes part, those of subgraphs once for each instance. */
export function* everyPlace(workflow: Workflow): Generator<Place> {
  yield* placesIn(workflow, TOP, null, 0);
}

/** What an input of a node is linked to. */
export function sourceOf(workflow: Workflow, place: Place, slot: number): Source {
  let at = place;
  let into = slot;
  for (let steps = 0; steps < MOST_STEPS; steps += 1) {
    const graph = graphOf(workflow, at.graph);
    const link = linkInto(graph, at.node, into);
    if (link === undefined) return NONE;
    const next = step(workflow, graph, at, link, wantedType(graph, at, into, link));
    if ("kind" in next) return next;
    [at, into] = [next.at, next.slot];
  }
  return NONE;
}

/** As `sourceOf`, by the input's name. */
export function sourceOfInput(workflow: Workflow, place: Place, name: string): Source {
  const slot = slotNamed(workflow, place, name);
  return slot === -1 ? NONE : sourceOf(workflow, place, slot);
}

/** The number of a node's slot; -1 if there is none of the name. */
export function slotNamed(workflow: Workflow, place: Place, name: string): number {
  const inputs = nodeAt(workflow, place)?.inputs ?? [];
  return inputs.findIndex((input) => input.name === name || input.widget === name);
}

/** Whether a link comes into an input, wherever it leads. */
export function isLinked(workflow: Workflow, place: Place, name: string): boolean {
  const slot = slotNamed(workflow, place, name);
  const graph = graphOf(workflow, place.graph);
  return slot !== -1 && linkInto(graph, place.node, slot) !== undefined;
}

/** The nodes behind a node's inputs of some types, nearest first, each once. */
export function* behind(
  workflow: Workflow,
  start: Place,
  types: ReadonlySet<string>,
): Generator<Place> {
  const seen = new Set([pathOf(start)]);
  const waiting = [start];
  for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
    for (const found of directlyBehind(workflow, at, types)) {
      const path = pathOf(found);
      if (seen.has(path)) continue;
      seen.add(path);
      yield found;
      waiting.push(found);
    }
  }
}

/** The nodes that a node's inputs of some types are linked to. */
export function directlyBehind(
  workflow: Workflow,
  place: Place,
  types: ReadonlySet<string>,
): readonly Place[] {
  const inputs = nodeAt(workflow, place)?.inputs ?? [];
  return inputs.flatMap((input, slot) => {
    if (!types.has(input.type)) return [];
    const source = sourceOf(workflow, place, slot);
    return source.kind === "node" ? [source.at] : [];
  });
}

/** The link that ends in a slot. */
export function linkInto(graph: Graph, node: NodeId, slot: number): Link | undefined {
  return linksOfTarget(graph)
    .get(node)
    ?.find((link) => link.toSlot === slot);
}

// --- one step ------------------------------------------------------------------------------------

type Into = { readonly at: Place; readonly slot: number };

function step(
  workflow: Workflow,
  graph: Graph,
  at: Place,
  link: Link,
  wanted: string,
): Source | Into {
  if (link.from === GRAPH_INPUT) return outside(workflow, at, link.fromSlot);
  const node = graph.nodes.get(link.from);
  if (node === undefined || node.mode === "muted") return NONE;
  const there: Place = { ...at, node: node.id };
  if (node.type === PRIMITIVE) return { kind: "primitive", at: there };
  if (PASSING.has(node.type)) return { at: there, slot: 0 };
  if (GETTERS.has(node.type)) return setter(workflow, there, node);
  if (node.mode === "bypassed") return passedOn(there, node, link.fromSlot, wanted);
  if (workflow.subgraphs.has(node.type)) {
    return { at: { graph: node.type, node: GRAPH_OUTPUT, inside: there }, slot: link.fromSlot };
  }
  return { kind: "node", at: there, slot: link.fromSlot };
}

function outside(workflow: Workflow, at: Place, slot: number): Source | Into {
  const instance = at.inside;
  const wanted = workflow.subgraphs.get(at.graph)?.inputs[slot];
  if (instance === null || wanted === undefined) return NONE;
  const place = slotNamed(workflow, instance, wanted.name);
  const linked = place !== -1 && isLinked(workflow, instance, wanted.name);
  if (linked) return { at: instance, slot: place };
  return { kind: "promoted", instance, name: wanted.name };
}

function passedOn(at: Place, node: GraphNode, output: number, wanted: string): Source | Into {
  const same = node.inputs[output]?.type;
  if (same !== undefined && fits(wanted, same)) return { at, slot: output };
  const slot = node.inputs.findIndex((input) => fits(wanted, input.type));
  return slot === -1 ? NONE : { at, slot };
}

function setter(workflow: Workflow, at: Place, getter: GraphNode): Source | Into {
  const name = firstValue(getter);
  for (let place: Place | null = at; place !== null; place = place.inside) {
    for (const node of graphOf(workflow, place.graph).nodes.values()) {
      const sets = SETTERS.has(node.type) && node.mode !== "muted";
      if (sets && firstValue(node) === name) return { at: { ...place, node: node.id }, slot: 0 };
    }
  }
  return NONE;
}

/** The first of a node's values: a primitive's value, the name that a Set node sets. */
export function firstValue(node: GraphNode): unknown {
  return node.unnamed[0] ?? Object.values(node.values)[0];
}

function wantedType(graph: Graph, at: Place, slot: number, link: Link): string {
  return graph.nodes.get(at.node)?.inputs[slot]?.type ?? link.type;
}

function fits(wanted: string, offered: string): boolean {
  return wanted === offered || wanted === "*" || offered === "*";
}

function* placesIn(
  workflow: Workflow,
  graph: GraphId,
  inside: Place | null,
  depth: number,
): Generator<Place> {
  for (const node of graphOf(workflow, graph).nodes.values()) {
    if (node.mode === "muted" || node.mode === "bypassed") continue;
    const place: Place = { graph, node: node.id, inside };
    if (!workflow.subgraphs.has(node.type)) yield place;
    else if (depth < MOST_NESTED) yield* placesIn(workflow, node.type, place, depth + 1);
  }
}

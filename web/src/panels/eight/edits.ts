/** Changes that put a setting into a workflow which has no node for it yet, correctly wired. Pure. */

import { batch, type Change } from "../../model/changes";
import {
  freshId,
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
  type Workflow,
} from "../../model/document";
import type { JsonObject } from "../../model/json";
import { setField } from "./fields";
import type { Found } from "./find";
import { behind, nodeAt, type Place, type Source, sourceOfInput } from "./walk";

/** An output of a node in a graph. */
export interface Output {
  readonly graph: GraphId;
  readonly node: NodeId;
  readonly slot: number;
}

const ROOM: Point = [240, 130];
const GAP = 40;

/** Clip skip in front of the text encoders; null if no text encoder is fed by a node. */
export function insertClipSkip(workflow: Workflow, found: Found, layer: number): Change | null {
  const prompt = found.positive[0] ?? found.negative[0];
  if (prompt === undefined) return null;
  const from = outputOf(sourceOfInput(workflow, prompt.at, "clip"));
  if (from === null) return null;
  const fields = { type: "CLIPSetLastLayer", values: { stop_at_clip_layer: layer } };
  return insertAfter(workflow, from, "clip", "CLIP", fields);
}

/** The decoders' VAE from a file: the loader that is there, or a new one. */
export function chooseVae(workflow: Workflow, found: Found, file: string): Change | null {
  const { vae } = found;
  if (vae?.setting?.field) return setField(workflow, vae.setting.field, file);
  const from = vae?.source ? outputOf(vae.source) : null;
  if (from === null) return null;
  const graph = graphOf(workflow, from.graph);
  const id = freshId(graph.nodes.keys());
  const node = makeNode({
    id,
    type: "VAELoader",
    version: 1,
    position: freePlace(graph, from.node),
    values: { vae_name: file },
    outputs: [{ name: "VAE", type: "VAE" }],
  });
  const moved = linksAt(graph, from).map((link) => ({ item: { ...link, from: id, fromSlot: 0 } }));
  return { kind: "add", graph: from.graph, nodes: [{ item: node }], links: moved };
}

/** The decoders' VAE from the checkpoint again; null if no checkpoint of the graph brings one. */
export function dropVae(workflow: Workflow, found: Found): Change | null {
  const loader = found.vae?.source ? outputOf(found.vae.source) : null;
  const own = loader && checkpointVae(workflow, found.sampler, loader.graph);
  if (!loader || !own) return null;
  const graph = graphOf(workflow, loader.graph);
  const moved = linksAt(graph, loader).map((link) => ({
    item: { ...link, from: own.node, fromSlot: own.slot },
  }));
  return batch([
    { kind: "remove", graph: loader.graph, links: moved.map(({ item }) => item.id) },
    { kind: "remove", graph: loader.graph, nodes: [loader.node] },
    { kind: "add", graph: loader.graph, links: moved },
  ]);
}

/** The VAE that comes with the model of a sampler, if it lies in that graph. */
export function checkpointVae(workflow: Workflow, sampler: Place, graph: GraphId): Output | null {
  for (const at of [...behind(workflow, sampler, new Set(["MODEL", "GUIDER"]))]) {
    const slot = nodeAt(workflow, at)?.outputs.findIndex((output) => output.type === "VAE") ?? -1;
    if (slot !== -1 && at.graph === graph) return { graph, node: at.node, slot };
  }
  return null;
}

/** A node that was put in, and the change that does it. */
export interface Insertion {
  readonly change: Change;
  readonly at: Place;
}

/** An LCM LoRA in front of one sampler; others keep their model. */
export function insertLcmLora(workflow: Workflow, found: Found, file: string): Insertion | null {
  const into = modelLinks(workflow, found.sampler);
  const [first] = into;
  if (first === undefined) return null;
  const { graph: id, link: model } = first;
  const graph = graphOf(workflow, id);
  const node = makeNode({
    id: freshId(graph.nodes.keys()),
    type: "LoraLoaderModelOnly",
    version: 1,
    position: freePlace(graph, graph.nodes.has(model.from) ? model.from : model.to),
    values: { lora_name: file, strength_model: 1 },
    inputs: [{ name: "model", type: "MODEL" }],
    outputs: [{ name: "MODEL", type: "MODEL" }],
  });
  const moved = into
    .filter(({ graph: at, link }) => at === id && sameOutput(link, model))
    .map(({ link }) => ({ item: { ...link, from: node.id, fromSlot: 0 } }));
  const own = { ...model, id: freshId(graph.links.keys()), to: node.id, toSlot: 0, type: "MODEL" };
  return {
    change: { kind: "add", graph: id, nodes: [{ item: node }], links: [...moved, { item: own }] },
    at: { graph: id, node: node.id, inside: null },
  };
}

/** A node that only passes its first input on leaves; what came in goes where it went. */
export function takeOut(workflow: Workflow, { graph: id, node }: Place): Change | null {
  const graph = graphOf(workflow, id);
  if (!graph.nodes.has(node)) return null;
  const into = linksInto(graph, node);
  const source = into.find((link) => link.toSlot === 0);
  const out = linksOutOf(graph, node);
  const moved = out.flatMap((link) =>
    source === undefined
      ? []
      : [{ item: { ...link, from: source.from, fromSlot: source.fromSlot } }],
  );
  const gone = source === undefined ? [...into, ...out] : into;
  return batch([
    { kind: "add", graph: id, links: moved },
    { kind: "remove", graph: id, nodes: [node], links: gone.map((link) => link.id) },
  ]);
}

interface LinkIn {
  readonly graph: GraphId;
  readonly link: Link;
}

/** The links that bring a sampler its model: its own, its guider's and its schedule's. */
function modelLinks(workflow: Workflow, sampler: Place): readonly LinkIn[] {
  const parts = [sampler, ...behind(workflow, sampler, new Set(["GUIDER", "SIGMAS"]))];
  return parts.flatMap((at) => {
    const graph = graphOf(workflow, at.graph);
    const links = linksInto(graph, at.node).filter(
      (link) => nodeAt(workflow, at)?.inputs[link.toSlot]?.type === "MODEL",
    );
    return links.map((link) => ({ graph: at.graph, link }));
  });
}

function sameOutput(one: Link, other: Link): boolean {
  return one.from === other.from && one.fromSlot === other.fromSlot;
}

/** A node that takes an output's value and passes it on, changed, to all that took it before. */
function insertAfter(
  workflow: Workflow,
  from: Output,
  input: string,
  type: string,
  fields: { readonly type: string; readonly values: JsonObject },
): Change {
  const graph = graphOf(workflow, from.graph);
  const id = freshId(graph.nodes.keys());
  const node = makeNode({
    ...fields,
    id,
    version: 1,
    position: freePlace(graph, from.node),
    inputs: [{ name: input, type }],
    outputs: [{ name: type, type }],
  });
  const moved = linksAt(graph, from).map((link) => ({ item: { ...link, from: id, fromSlot: 0 } }));
  const into: Link = {
    id: freshId(graph.links.keys()),
    from: from.node,
    fromSlot: from.slot,
    to: id,
    toSlot: 0,
    type,
  };
  const links = [...moved, { item: into }];
  return { kind: "add", graph: from.graph, nodes: [{ item: node }], links };
}

function outputOf(source: Source): Output | null {
  if (source.kind !== "node") return null;
  return { graph: source.at.graph, node: source.at.node, slot: source.slot };
}

function linksAt(graph: Graph, from: Output): readonly Link[] {
  return linksOutOf(graph, from.node).filter((link) => link.fromSlot === from.slot);
}

/** A place below a node where nothing stands. */
function freePlace(graph: Graph, near: NodeId): Point {
  const node = graph.nodes.get(near);
  if (node === undefined) return [0, 0];
  const [x] = node.position;
  let place: Point = [x, node.position[1] + sizeOf(node)[1] + GAP];
  for (let tries = 0; tries < graph.nodes.size; tries += 1) {
    const there = [...graph.nodes.values()].find((other) => overlaps(other, place));
    if (there === undefined) return place;
    place = [x, there.position[1] + sizeOf(there)[1] + GAP];
  }
  return place;
}

function overlaps(node: GraphNode, [x, y]: Point): boolean {
  const [left, top] = node.position;
  const [width, height] = sizeOf(node);
  const beside = x + ROOM[0] < left || left + width < x;
  return !(beside || y + ROOM[1] < top || top + height < y);
}

function sizeOf(node: GraphNode): Point {
  return node.size ?? ROOM;
}

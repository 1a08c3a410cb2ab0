/** Changes that put a setting into a workflow which has no node for it yet, correctly wired. Pure. */

import { batch, type Change } from "../../model/changes";
import {
  freshId,
  type Graph,
  type GraphId,
  type GraphNode,
  graphOf,
  type Link,
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

interface Inserted {
  readonly change: Change;
  readonly node: NodeId;
}

const ROOM: Point = [240, 130];
const GAP = 40;
const MODEL = new Set(["MODEL"]);

/** Clip skip in front of the text encoders; null if no text encoder is fed by a node. */
export function insertClipSkip(workflow: Workflow, found: Found, layer: number): Change | null {
  const prompt = found.positive[0] ?? found.negative[0];
  if (prompt === undefined) return null;
  const from = outputOf(sourceOfInput(workflow, prompt.at, "clip"));
  if (from === null) return null;
  const fields = { type: "CLIPSetLastLayer", values: { stop_at_clip_layer: layer } };
  return insertAfter(workflow, from, "clip", "CLIP", fields)?.change ?? null;
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

/** An LCM LoRA and LCM's way of sampling between the model and the sampler. */
export function insertLcmLora(workflow: Workflow, found: Found, file: string): Change | null {
  const source = modelSource(workflow, found.sampler);
  if (source === null) return null;
  const lora = insertAfter(workflow, source, "model", "MODEL", {
    type: "LoraLoaderModelOnly",
    values: { lora_name: file, strength_model: 1 },
  });
  if (found.lcm.samplings.length > 0 || found.lcm.other !== null) return lora.change;
  const graph = graphOf(workflow, source.graph);
  const id = String(Number(lora.node) + 1);
  const node = makeNode({
    id,
    type: "ModelSamplingDiscrete",
    version: 1,
    position: below(freePlace(graph, source.node)),
    values: { sampling: "lcm", zsnr: false },
    inputs: [{ name: "model", type: "MODEL" }],
    outputs: [{ name: "MODEL", type: "MODEL" }],
  });
  const moved = linksAt(graph, source).map((link) => ({
    item: { ...link, from: id, fromSlot: 0 },
  }));
  const between: Link = {
    id: String(Number(freshId(graph.links.keys())) + 1),
    from: lora.node,
    fromSlot: 0,
    to: id,
    toSlot: 0,
    type: "MODEL",
  };
  const nodes = [{ item: node }];
  const links = [...moved, { item: between }];
  return batch([lora.change, { kind: "add", graph: source.graph, nodes, links }]);
}

function modelSource(workflow: Workflow, sampler: Place): Output | null {
  const own = outputOf(sourceOfInput(workflow, sampler, "model"));
  if (own !== null) return own;
  for (const at of behind(workflow, sampler, new Set(["GUIDER"]))) {
    const found = outputOf(sourceOfInput(workflow, at, "model"));
    if (found !== null) return found;
  }
  for (const at of behind(workflow, sampler, MODEL)) return { ...at, slot: 0 };
  return null;
}

/** A node that takes an output's value and passes it on, changed, to all that took it before. */
function insertAfter(
  workflow: Workflow,
  from: Output,
  input: string,
  type: string,
  fields: { readonly type: string; readonly values: JsonObject },
): Inserted {
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
  return { node: id, change: { kind: "add", graph: from.graph, nodes: [{ item: node }], links } };
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

function below([x, y]: Point): Point {
  return [x, y + ROOM[1] + GAP];
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

/** From the saved workflow's JSON to the editor's document and back; nothing unknown is lost. */

import {
  EMPTY_GRAPH,
  EMPTY_WORKFLOW,
  type Graph,
  type GraphNode,
  type Group,
  type Link,
  type Mode,
  type Point,
  type Size,
  type Slot,
  type Subgraph,
  type Workflow,
} from "./document";
import { isObject, type Json, type JsonObject } from "./json";

export const FORMAT = "graphengine workflow";

const GRAPH_FIELDS = ["nodes", "links", "groups", "models", "panel", "extra"];
const WORKFLOW_FIELDS = [...GRAPH_FIELDS, "format", "version", "subgraphs"];
const SUBGRAPH_FIELDS = [...GRAPH_FIELDS, "id", "name", "inputs", "outputs"];
const NODE_FIELDS = [
  "id",
  "type",
  "version",
  "title",
  "mode",
  "position",
  "size",
  "values",
  "after_run",
  "unnamed_values",
  "inputs",
  "outputs",
  "saved",
  "extra",
];
const LINK_FIELDS = ["id", "from", "to", "type", "extra"];
const SLOT_FIELDS = ["name", "type", "link", "widget", "extra"];
const GROUP_FIELDS = ["title", "bounding", "color"];

/** The document of a saved workflow's JSON. What has no id or type is left out. */
export function parseNative(data: Json): Workflow {
  if (!isObject(data)) return EMPTY_WORKFLOW;
  const subgraphs = objects(data["subgraphs"]).map(parseSubgraph);
  return {
    version: number(data["version"], 1),
    top: parseGraph(data, WORKFLOW_FIELDS),
    subgraphs: new Map(subgraphs.map((one) => [one.id, one])),
  };
}

/** The JSON of a document, in the server's order of fields; what is empty is left out. */
export function toNative(workflow: Workflow): JsonObject {
  return {
    format: FORMAT,
    version: workflow.version,
    ...writeGraph(workflow.top),
    ...filled({ subgraphs: [...workflow.subgraphs.values()].map(writeSubgraph) }),
  };
}

// --- reading -----------------------------------------------------------------------------------

function parseGraph(data: JsonObject, fields: readonly string[]): Graph {
  const links = byId(objects(data["links"]).map(parseLink));
  const nodes = objects(data["nodes"]).map((raw) => parseNode(raw, links));
  const groups = objects(data["groups"]).map(parseGroup);
  return {
    ...EMPTY_GRAPH,
    nodes: byId(nodes),
    links,
    groups: byId(groups),
    models: objects(data["models"]),
    panel: object(data["panel"]),
    extra: unknown(data, fields),
  };
}

function parseSubgraph(data: JsonObject): Subgraph {
  return {
    id: text(data["id"]) ?? "",
    name: text(data["name"]) ?? "",
    inputs: objects(data["inputs"]).map((slot) => parseSlot(slot)),
    outputs: objects(data["outputs"]).map((slot) => parseSlot(slot)),
    graph: parseGraph(data, SUBGRAPH_FIELDS),
  };
}

/** A node as the file has it; also used for what the clipboard holds. */
export function parseNode(data: JsonObject, links: ReadonlyMap<string, Link>): GraphNode | null {
  const id = text(data["id"]);
  const type = text(data["type"]);
  if (id === null || type === null) return null;
  return {
    id,
    type,
    version: number(data["version"], 0),
    title: text(data["title"]),
    mode: mode(data["mode"]),
    position: pair(data["position"]) ?? [0, 0],
    size: pair(data["size"]),
    values: object(data["values"]),
    afterRun: texts(data["after_run"]),
    unnamed: list(data["unnamed_values"]),
    inputs: objects(data["inputs"]).map((slot, place) => parseSlot(slot, links, id, place)),
    outputs: objects(data["outputs"]).map((slot) => parseSlot(slot)),
    saved: object(data["saved"]),
    extra: unknown(data, NODE_FIELDS),
  };
}

function parseSlot(
  data: JsonObject,
  links?: ReadonlyMap<string, Link>,
  node?: string,
  place?: number,
): Slot {
  const named = text(data["link"]);
  const link = named === null ? undefined : links?.get(named);
  const told = link !== undefined && link.to === node && link.toSlot === place;
  const widget = text(data["widget"]);
  const extra = unknown(data, SLOT_FIELDS);
  return {
    name: text(data["name"]) ?? "",
    type: text(data["type"]) ?? "*",
    ...(widget === null ? {} : { widget }),
    ...(named === null || told ? {} : { link: named }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
}

export function parseLink(data: JsonObject): Link | null {
  const id = text(data["id"]);
  const [from, fromSlot] = list(data["from"]);
  const [to, toSlot] = list(data["to"]);
  if (id === null || typeof from !== "string" || typeof to !== "string") return null;
  const extra = unknown(data, LINK_FIELDS);
  return {
    id,
    from,
    fromSlot: number(fromSlot, 0),
    to,
    toSlot: number(toSlot, 0),
    type: text(data["type"]) ?? "*",
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
}

function parseGroup(data: JsonObject, place: number): Group {
  const [x, y, width, height] = list(data["bounding"]).map((one) => number(one, 0));
  return {
    id: `group-${place + 1}`,
    title: text(data["title"]) ?? "",
    bounds: [x ?? 0, y ?? 0, width ?? 200, height ?? 100],
    color: text(data["color"]),
    extra: Object.fromEntries(
      Object.entries(data).filter(([name]) => !GROUP_FIELDS.includes(name)),
    ),
  };
}

// --- writing -----------------------------------------------------------------------------------

function writeGraph(graph: Graph): JsonObject {
  return filled({
    panel: graph.panel,
    models: graph.models,
    nodes: [...graph.nodes.values()].map(writeNode),
    links: [...graph.links.values()].map(writeLink),
    groups: [...graph.groups.values()].map(writeGroup),
    extra: graph.extra,
  });
}

function writeSubgraph(part: Subgraph): JsonObject {
  return {
    id: part.id,
    name: part.name,
    ...filled({ inputs: part.inputs.map(writeSlot), outputs: part.outputs.map(writeSlot) }),
    ...writeGraph(part.graph),
  };
}

export function writeNode(node: GraphNode): JsonObject {
  return {
    id: node.id,
    type: node.type,
    ...filled({
      version: node.version,
      title: node.title,
      mode: node.mode === "always" ? null : node.mode,
    }),
    position: node.position,
    ...filled({
      size: node.size,
      values: node.values,
      after_run: node.afterRun,
      unnamed_values: node.unnamed,
      inputs: node.inputs.map(writeSlot),
      outputs: node.outputs.map(writeSlot),
      saved: node.saved,
      extra: node.extra,
    }),
  };
}

export function writeLink(link: Link): JsonObject {
  return {
    id: link.id,
    from: [link.from, link.fromSlot],
    to: [link.to, link.toSlot],
    type: link.type,
    ...filled({ extra: link.extra ?? null }),
  };
}

function writeSlot(slot: Slot): JsonObject {
  const more = { link: slot.link ?? null, widget: slot.widget ?? null, extra: slot.extra ?? null };
  return { name: slot.name, type: slot.type, ...filled(more) };
}

function writeGroup(group: Group): JsonObject {
  const color = group.color === null ? {} : { color: group.color };
  return { ...group.extra, title: group.title, bounding: [...group.bounds], ...color };
}

/** The fields that say something. */
function filled(fields: { readonly [name: string]: Json }): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => says(value)));
}

function says(value: Json): boolean {
  if (value === "") return true;
  if (Array.isArray(value)) return value.length > 0;
  if (isObject(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

// --- pieces of JSON ----------------------------------------------------------------------------

function unknown(data: JsonObject, fields: readonly string[]): JsonObject {
  const others = Object.entries(data).filter(([name]) => !fields.includes(name));
  return { ...object(data["extra"]), ...Object.fromEntries(others) };
}

function byId<T extends { readonly id: string }>(items: readonly (T | null)[]): Map<string, T> {
  return new Map(items.flatMap((item) => (item === null ? [] : [[item.id, item] as const])));
}

function text(value: Json | undefined): string | null {
  return typeof value === "string" ? value : null;
}

function number(value: Json | undefined, otherwise: number): number {
  return typeof value === "number" ? value : otherwise;
}

function mode(value: Json | undefined): Mode {
  return typeof value === "number" || value === "muted" || value === "bypassed" ? value : "always";
}

function list(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

function objects(value: Json | undefined): readonly JsonObject[] {
  return list(value).filter(isObject);
}

function object(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function texts(value: Json | undefined): { readonly [name: string]: string } {
  const pairs = Object.entries(object(value));
  return Object.fromEntries(
    pairs.filter((pair): pair is [string, string] => text(pair[1]) !== null),
  );
}

function pair(value: Json | undefined): Point | Size | null {
  const [first, second] = list(value);
  return typeof first === "number" && typeof second === "number" ? [first, second] : null;
}

/** What a node shows: its sockets, widgets and outputs, from its type and what the file says. */

import type { InputInfo, NodeInfo } from "../protocol/generated";
import {
  GRAPH_INPUT,
  type Graph,
  type GraphNode,
  linksInto,
  type Slot,
  type Subgraph,
  type Workflow,
} from "./document";
import type { Json } from "./json";

export type WidgetInfo = NonNullable<InputInfo["widget"]>;
export type NodeTypes = ReadonlyMap<string, NodeInfo>;

export type NodeKind = "node" | "subgraph" | "reroute" | "note" | "primitive" | "unknown";

/** What a number may hold instead of one: nothing at all, where inputs grow, or null. */
export type Emptiness = "never" | "absent" | "null";

export interface InputShape {
  readonly name: string;
  readonly type: string;
  /** What the file calls it, if anything. */
  readonly label: string | null;
  readonly widget: WidgetInfo | null;
  readonly default: Json | undefined;
  readonly many: boolean;
  readonly required: boolean;
  readonly empty: Emptiness;
  /** The input that grows in number of which this is one. */
  readonly family: string | null;
  readonly linked: boolean;
  /** A widget that somebody made an input: it is shown as a socket, and its value waits. */
  readonly asInput: boolean;
}

export interface OutputShape {
  readonly name: string;
  readonly type: string;
  readonly label: string | null;
}

export interface NodeShape {
  readonly kind: NodeKind;
  readonly info: NodeInfo | null;
  readonly sockets: readonly InputShape[];
  readonly widgets: readonly InputShape[];
  readonly outputs: readonly OutputShape[];
  /** Whether it shows pictures or texts when it has run. */
  readonly shows: boolean;
}

export const NOTES: readonly string[] = ["Note", "MarkdownNote"];
export const REROUTES: readonly string[] = ["Reroute", "Reroute (rgthree)"];
export const PRIMITIVE = "PrimitiveNode";

export function nodeKind(node: GraphNode, types: NodeTypes, workflow: Workflow): NodeKind {
  if (NOTES.includes(node.type)) return "note";
  if (REROUTES.includes(node.type)) return "reroute";
  if (workflow.subgraphs.has(node.type)) return "subgraph";
  if (types.has(node.type)) return "node";
  return node.type === PRIMITIVE ? "primitive" : "unknown";
}

/** The shape of a node in a graph of a workflow. */
export function nodeShape(
  node: GraphNode,
  graph: Graph,
  workflow: Workflow,
  types: NodeTypes,
): NodeShape {
  const kind = nodeKind(node, types, workflow);
  const linked = new Set(
    linksInto(graph, node.id).map((link) => node.inputs[link.toSlot]?.name ?? ""),
  );
  const info = kind === "node" ? (types.get(node.type) ?? null) : null;
  const subgraph = workflow.subgraphs.get(node.type);
  const declared = declaredInputs(node, info, subgraph, workflow, types).map((input) =>
    withLinks(input, node, linked),
  );
  const inputs = info === null ? declared : grown(declared, node);
  return {
    kind,
    info,
    sockets: inputs.filter((input) => input.widget === null),
    widgets: inputs.filter((input) => input.widget !== null),
    outputs: outputsOf(node, info, subgraph),
    shows: info?.is_output ?? false,
  };
}

/** Of inputs that grow in number: those in use and those before them, and the next one. */
function grown(inputs: readonly InputShape[], node: GraphNode) {
  const isUsed = (input: InputShape) =>
    input.required || input.linked || Object.hasOwn(node.values, input.name);
  const left = new Map<string, number>();
  inputs.forEach((input, place) => {
    if (input.family !== null && isUsed(input)) left.set(input.family, place);
  });
  const free = new Set<string>();
  return inputs.filter((input, place) => {
    const { family } = input;
    if (family === null || place <= (left.get(family) ?? -1)) return true;
    const first = !free.has(family);
    free.add(family);
    return first;
  });
}

/** What an input's widget says: the node's value, else the default. */
export function inputValue(node: GraphNode, input: InputShape): Json | undefined {
  return Object.hasOwn(node.values, input.name) ? node.values[input.name] : input.default;
}

/** Whether an input may be left without a value: one that grows, or a number that may be none. */
export function emptiness(input: InputInfo): Emptiness {
  const number = input.widget?.kind === "int" || input.widget?.kind === "float";
  if (!number || (input.required && !input.optional)) return "never";
  if (input.grows != null) return "absent";
  return input.default === null && !input.required ? "null" : "never";
}

/** The text of a note, whatever name its value has. */
export function noteText(node: GraphNode): string {
  const value = node.unnamed[0] ?? Object.values(node.values)[0];
  return typeof value === "string" ? value : "";
}

type Declared = Omit<InputShape, "linked" | "asInput">;

function declaredInputs(
  node: GraphNode,
  info: NodeInfo | null,
  subgraph: Subgraph | undefined,
  workflow: Workflow,
  types: NodeTypes,
): readonly Declared[] {
  if (info !== null) {
    const known = info.inputs.map(fromInfo);
    const names = new Set(known.map((input) => input.name));
    return [...known, ...fromSlots(node, names)];
  }
  if (subgraph !== undefined) {
    const known = subgraph.inputs.map((slot, place) =>
      promotedInput(subgraph, slot, place, workflow, types, 0),
    );
    return known;
  }
  return [...fromSlots(node, new Set()), ...fromValues(node)];
}

function fromInfo(input: InputInfo): Declared {
  return {
    name: input.name,
    type: input.type,
    label: null,
    widget: input.widget,
    default: input.grows == null ? ((input.default ?? undefined) as Json | undefined) : undefined,
    many: input.many,
    required: input.required && !input.optional,
    empty: emptiness(input),
    family: input.grows ?? null,
  };
}

/** Inputs that only the file knows. */
function fromSlots(node: GraphNode, known: ReadonlySet<string>): readonly Declared[] {
  const found = new Map<string, Declared>();
  for (const slot of node.inputs) {
    if (known.has(slot.name)) continue;
    const widget = slot.widget === undefined ? null : widgetFor(node.values[slot.widget]);
    found.set(slot.name, { ...fromSlot(slot, widget), many: found.has(slot.name) });
  }
  return [...found.values()];
}

/** The widgets of a node whose type nobody knows: by what their values are. */
function fromValues(node: GraphNode): readonly Declared[] {
  const slots = new Set(node.inputs.map((slot) => slot.name));
  if (NOTES.includes(node.type)) return [];
  return Object.entries(node.values)
    .filter(([name]) => !slots.has(name))
    .map(([name, value]) => fromSlot({ name, type: "*" }, widgetFor(value)));
}

/** What the file calls a slot besides its name; null if nothing. */
export function givenLabel(slot: Slot): string | null {
  const label = slot.extra?.["label"] ?? slot.extra?.["localized_name"];
  return typeof label === "string" && label !== "" ? label : null;
}

/** A slot's name for reading. */
export function slotLabel(slot: Slot): string {
  return givenLabel(slot) ?? slot.name.replaceAll("_", " ");
}

function fromSlot(slot: Slot, widget: WidgetInfo | null): Declared {
  return {
    name: slot.name,
    type: slot.type,
    label: givenLabel(slot),
    widget,
    default: undefined,
    many: false,
    required: false,
    empty: "never",
    family: null,
  };
}

/** A widget that fits a value of which nothing else is known. */
export function widgetFor(value: Json | undefined): WidgetInfo {
  if (typeof value === "boolean") return { kind: "switch", on: "", off: "", advanced: false };
  if (typeof value === "number") {
    const common = { min: null, max: null, round: null, slider: false, advanced: false };
    return Number.isInteger(value)
      ? { kind: "int", step: 1, ...common }
      : { kind: "float", step: 0.01, ...common };
  }
  if (typeof value === "string") {
    const multiline = value.length > 40 || value.includes("\n");
    return { kind: "text", multiline, placeholder: "", dynamic: false, advanced: false };
  }
  return { kind: "other", type: "*", advanced: false };
}

/** An input of a subgraph, with the widget of what it is linked to inside. */
function promotedInput(
  subgraph: Subgraph,
  slot: Slot,
  place: number,
  workflow: Workflow,
  types: NodeTypes,
  depth: number,
): Declared {
  const plain = fromSlot(slot, null);
  if (depth > 20) return plain;
  for (const link of subgraph.graph.links.values()) {
    if (link.from !== GRAPH_INPUT || link.fromSlot !== place) continue;
    const node = subgraph.graph.nodes.get(link.to);
    const name = node?.inputs[link.toSlot]?.name;
    if (node === undefined || name === undefined) continue;
    const inside = workflow.subgraphs.get(node.type);
    const found = inside?.inputs.findIndex((one) => one.name === name) ?? -1;
    const innerSlot = inside?.inputs[found];
    const declared =
      inside !== undefined && innerSlot !== undefined
        ? promotedInput(inside, innerSlot, found, workflow, types, depth + 1)
        : declaredInputs(node, types.get(node.type) ?? null, undefined, workflow, types).find(
            (one) => one.name === name,
          );
    if (declared?.widget == null) continue;
    const value = Object.hasOwn(node.values, name) ? node.values[name] : declared.default;
    const empty = declared.empty === "null" ? "null" : "never";
    return { ...plain, widget: declared.widget, default: value, empty };
  }
  return plain;
}

function withLinks(input: Declared, node: GraphNode, linked: ReadonlySet<string>): InputShape {
  const isLinked = linked.has(input.name);
  const slot = node.inputs.find((one) => one.name === input.name);
  const forced = slot?.extra?.["shown"] === "input";
  return { ...input, linked: isLinked, asInput: input.widget !== null && (isLinked || forced) };
}

function outputsOf(
  node: GraphNode,
  info: NodeInfo | null,
  subgraph: Subgraph | undefined,
): readonly OutputShape[] {
  const known: readonly { readonly name: string; readonly type: string }[] =
    info?.outputs ?? subgraph?.outputs ?? [];
  const count = Math.max(known.length, node.outputs.length);
  return Array.from({ length: count }, (_, place) => {
    const slot = subgraph?.outputs[place] ?? node.outputs[place];
    return {
      name: known[place]?.name ?? slot?.name ?? "",
      type: known[place]?.type ?? slot?.type ?? "*",
      label: slot === undefined ? null : givenLabel(slot),
    };
  });
}

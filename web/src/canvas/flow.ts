/** The document as React Flow wants it; what did not change keeps its object. */

import { type Edge, type Node, Position } from "@xyflow/react";
import {
  GRAPH_INPUT,
  GRAPH_OUTPUT,
  type Graph,
  type GraphNode,
  type Group,
  type Link,
  type Point,
  type Size,
  type Subgraph,
} from "../model/document";
import { NEW_SLOT } from "../model/edits";
import { isEqual } from "../model/equal";
import { HEADER, isPinned, type Measures, PADDING, SOCKET_ROW } from "../model/measures";
import type { NodeKind, NodeShape } from "../model/shape";
import { boundaryY } from "../nodes/OtherViews";

/** `yields`: the type of a node's first output, which gives it its colour when it is drawn small. */
export type FlowNode = Node<{ readonly yields: string | undefined }>;
export type FlowEdge = Edge<{ type: string }>;

const NO_DATA: FlowNode["data"] = { yields: undefined };
const SOCKET = 12;
/** Below the nodes also while it is selected: React Flow then adds a thousand. */
const FRAME_Z = -1001;
const BOUNDARY_WIDTH = 160;

interface Made {
  readonly measures: Measures;
  readonly selected: boolean;
  readonly flow: FlowNode;
}

const madeNodes = new WeakMap<GraphNode, Made>();

/** ``earlier``: the same node before an edit; it is kept if the canvas shows nothing new of it. */
export function flowNode(
  node: GraphNode,
  shape: NodeShape,
  measures: Measures,
  selected: boolean,
  earlier: FlowNode | undefined,
): FlowNode {
  const before = madeNodes.get(node);
  if (before !== undefined && before.measures === measures && before.selected === selected) {
    return before.flow;
  }
  const [width, height] = measures.size;
  const made: FlowNode = {
    id: node.id,
    type: viewOf(shape.kind),
    position: xy(node.position),
    data: { yields: shape.outputs[0]?.type },
    width,
    height,
    measured: { width, height },
    selected,
    // What is not pinned leaves it to the canvas, which may be locked.
    ...(isPinned(node) ? { draggable: false } : {}),
    zIndex: 1,
    handles: handlesOf(shape, measures),
  };
  const flow = earlier !== undefined && isEqual(earlier, made) ? earlier : made;
  madeNodes.set(node, { measures, selected, flow });
  return flow;
}

function viewOf(kind: NodeKind): string {
  return kind === "note" || kind === "reroute" ? kind : "node";
}

function handlesOf(shape: NodeShape, measures: Measures): NonNullable<FlowNode["handles"]> {
  const [width] = measures.size;
  const inputs = [...measures.inputs].map(([name, y]) => ({
    id: name,
    type: "target" as const,
    position: Position.Left,
    x: -SOCKET / 2,
    y: y - SOCKET / 2,
    width: SOCKET,
    height: SOCKET,
  }));
  const outputs = shape.outputs.map((_output, place) => ({
    id: String(place),
    type: "source" as const,
    position: Position.Right,
    x: width - SOCKET / 2,
    y: (measures.outputs[place] ?? 0) - SOCKET / 2,
    width: SOCKET,
    height: SOCKET,
  }));
  return [...inputs, ...outputs];
}

const madeGroups = new WeakMap<Group, { readonly selected: boolean; readonly flow: FlowNode }>();

export function flowGroup(group: Group, selected: boolean): FlowNode {
  const before = madeGroups.get(group);
  if (before?.selected === selected) return before.flow;
  const [x, y, width, height] = group.bounds;
  const flow: FlowNode = {
    id: group.id,
    type: "group-frame",
    position: { x, y },
    data: NO_DATA,
    width,
    height,
    measured: { width, height },
    selected,
    zIndex: FRAME_Z,
    dragHandle: ".group-title",
    handles: [],
  };
  madeGroups.set(group, { selected, flow });
  return flow;
}

/** The two edges of the subgraph in which one stands. */
export function boundaryNodes(subgraph: Subgraph, extent: readonly [Point, Point]): FlowNode[] {
  const [[left, top], [right]] = extent;
  return [
    boundaryNode(
      GRAPH_INPUT,
      subgraph,
      savedPlace(subgraph.graph, "inputNode") ?? [left - BOUNDARY_WIDTH - 100, top],
    ),
    boundaryNode(
      GRAPH_OUTPUT,
      subgraph,
      savedPlace(subgraph.graph, "outputNode") ?? [right + 100, top],
    ),
  ];
}

export function boundarySize(slots: number): Size {
  return [BOUNDARY_WIDTH, HEADER + PADDING * 2 + (slots + 1) * SOCKET_ROW];
}

function boundaryNode(id: string, subgraph: Subgraph, place: Point): FlowNode {
  const inputs = id === GRAPH_INPUT;
  const slots = inputs ? subgraph.inputs : subgraph.outputs;
  const [width, height] = boundarySize(slots.length);
  const names = [...slots.map((slot) => slot.name), NEW_SLOT];
  return {
    id,
    type: "boundary",
    position: xy(place),
    data: NO_DATA,
    width,
    height,
    measured: { width, height },
    deletable: false,
    handles: names.map((name, at) => ({
      id: inputs ? (name === NEW_SLOT ? "-1" : String(at)) : name,
      type: inputs ? "source" : "target",
      position: inputs ? Position.Right : Position.Left,
      x: inputs ? width - SOCKET / 2 : -SOCKET / 2,
      y: boundaryY(at) - SOCKET / 2,
      width: SOCKET,
      height: SOCKET,
    })),
  };
}

/** Where a file says that an edge of the subgraph is drawn. */
function savedPlace(graph: Graph, name: string): Point | null {
  const saved = graph.extra[name];
  if (typeof saved !== "object" || saved === null || !("bounding" in saved)) return null;
  const bounds = saved["bounding"];
  if (!Array.isArray(bounds)) return null;
  const [x, y] = bounds;
  return typeof x === "number" && typeof y === "number" ? [x, y] : null;
}

const madeEdges = new WeakMap<Link, FlowEdge>();

export function flowEdge(
  link: Link,
  graph: Graph,
  subgraph: Subgraph | undefined,
  selected: boolean,
): FlowEdge | null {
  const target = graph.nodes.get(link.to);
  const name =
    link.to === GRAPH_OUTPUT
      ? subgraph?.outputs[link.toSlot]?.name
      : target?.inputs[link.toSlot]?.name;
  if (name === undefined) return null;
  if (link.from !== GRAPH_INPUT && !graph.nodes.has(link.from)) return null;
  const before = madeEdges.get(link);
  if (before?.targetHandle === name && before.selected === selected) return before;
  const flow: FlowEdge = {
    id: link.id,
    type: "wire",
    source: link.from,
    sourceHandle: String(link.fromSlot),
    target: link.to,
    targetHandle: name,
    selected,
    focusable: false,
    // Sockets and the outline tell of the links; their ids say nothing to anybody.
    domAttributes: { "aria-hidden": true },
    data: { type: link.type },
  };
  madeEdges.set(link, flow);
  return flow;
}

export function xy([x, y]: Point): { x: number; y: number } {
  return { x, y };
}

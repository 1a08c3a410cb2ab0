/** What the active graph looks like: boxes and wires by place, for all that is not React. */

import { frameAround } from "../model/changes";
import {
  type Bounds,
  GRAPH_INPUT,
  GRAPH_OUTPUT,
  type Graph,
  type GraphNode,
  type Point,
  type Subgraph,
  type Workflow,
} from "../model/document";
import { holds } from "../model/measures";
import type { NodeTypes } from "../model/shape";
import { measuresOf, shapeOf } from "../nodes/shapes";
import { boundaryNodes, type FlowEdge, type FlowNode, flowEdge, flowGroup, flowNode } from "./flow";

export interface Scene {
  /** What it was made of. */
  readonly parts: SceneParts;
  readonly nodes: readonly FlowNode[];
  readonly edges: readonly FlowEdge[];
  readonly flows: ReadonlyMap<string, FlowNode>;
}

export interface SceneParts {
  readonly graph: Graph;
  readonly graphId: string;
  readonly workflow: Workflow;
  readonly types: NodeTypes;
  readonly selection: ReadonlySet<string>;
  readonly selectedLinks: ReadonlySet<string>;
  readonly showing: ReadonlySet<string>;
  readonly prefix: string;
}

/** The scene; the one before if nothing in it is new, else with its lists that are the same. */
export function makeScene(parts: SceneParts, before: Scene | null): Scene {
  const { graph, workflow } = parts;
  const only = before !== null && isOnlyNodes(before.parts, parts) ? before : null;
  const flows = new Map<string, FlowNode>();
  let slots = only !== null && only.parts.graph.nodes.size === graph.nodes.size;
  for (const node of graph.nodes.values()) {
    const earlier = before?.flows.get(node.id);
    const known = only?.parts.graph.nodes.get(node.id);
    const flow = known === node && earlier !== undefined ? earlier : flowOf(node, parts, earlier);
    flows.set(node.id, flow);
    slots &&= known?.inputs === node.inputs;
  }
  const subgraph = workflow.subgraphs.get(parts.graphId);
  const nodes = [
    ...Array.from(graph.groups.values(), (group) =>
      flowGroup(group, parts.selection.has(group.id)),
    ),
    ...flows.values(),
    ...(subgraph === undefined ? [] : boundaryNodes(subgraph, extent(flows.values()))),
  ];
  const edges = slots && only !== null ? only.edges : edgesOf(parts, subgraph);
  const scene = {
    parts,
    nodes: same(before?.nodes, nodes),
    edges: same(before?.edges, edges),
    flows,
  };
  const isNew = scene.nodes !== before?.nodes || scene.edges !== before.edges;
  return before === null || isNew ? scene : before;
}

/** Whether two scenes can differ only in those nodes that are not the same. */
function isOnlyNodes(one: SceneParts, other: SceneParts): boolean {
  return (
    one.graphId === other.graphId &&
    one.prefix === other.prefix &&
    one.graph.links === other.graph.links &&
    one.workflow.subgraphs === other.workflow.subgraphs &&
    one.types === other.types &&
    one.selection === other.selection &&
    one.selectedLinks === other.selectedLinks &&
    one.showing === other.showing
  );
}

function flowOf(node: GraphNode, parts: SceneParts, earlier: FlowNode | undefined): FlowNode {
  const { graph, workflow, types } = parts;
  const shape = shapeOf(node, graph, workflow, types);
  const shows = parts.showing.has(parts.prefix + node.id);
  const measures = measuresOf(node, graph, workflow, types, shows);
  return flowNode(node, shape, measures, parts.selection.has(node.id), earlier);
}

function edgesOf({ graph, selectedLinks }: SceneParts, subgraph: Subgraph | undefined) {
  const edges: FlowEdge[] = [];
  for (const link of graph.links.values()) {
    const edge = flowEdge(link, graph, subgraph, selectedLinks.has(link.id));
    if (edge !== null) edges.push(edge);
  }
  return edges;
}

function same<T>(before: readonly T[] | undefined, now: readonly T[]): readonly T[] {
  const equal = before?.length === now.length && now.every((item, at) => item === before[at]);
  return equal && before !== undefined ? before : now;
}

/** The upper corners of the rectangle around nodes. */
function extent(nodes: Iterable<FlowNode>): readonly [Point, Point] {
  const { x, y, width } = boundsOf([...nodes]) ?? { x: 0, y: 0, width: 400 };
  return [
    [x, y],
    [x + width, 0],
  ];
}

/** The nodes with those that are being dragged where they are now. */
export function dragged(
  nodes: readonly FlowNode[],
  places: ReadonlyMap<string, { x: number; y: number }>,
): readonly FlowNode[] {
  if (places.size === 0) return nodes;
  return nodes.map((node) => {
    const position = places.get(node.id);
    return position === undefined ? node : { ...node, position, dragging: true };
  });
}

/** The nodes and links of a scene that React Flow has to know of. */
export type Part = Pick<Scene, "nodes" | "edges">;

/** What touches an area or is selected, what links join over it, and those links. */
export function partIn(
  { nodes, edges }: Scene,
  area: Bounds,
  places: ReadonlyMap<string, { x: number; y: number }>,
): Part {
  const known = new Map(dragged(nodes, places).map((node) => [node.id, node]));
  const chosen = new Set<string>();
  for (const node of known.values()) {
    if (node.selected || touches(boxOf(node), area)) chosen.add(node.id);
  }
  const found = new Set(chosen);
  const crossing = edges.filter(({ source, target, selected }) => {
    const from = known.get(source);
    const to = known.get(target);
    if (from === undefined || to === undefined) return false;
    const seen = selected || chosen.has(source) || chosen.has(target);
    if (!seen && !touches(frameAround([boxOf(from), boxOf(to)], 0), area)) return false;
    found.add(source).add(target);
    return true;
  });
  return { nodes: nodes.filter((node) => found.has(node.id)), edges: crossing };
}

function touches([x, y, width, height]: Bounds, [left, top, across, down]: Bounds): boolean {
  return x < left + across && y < top + down && x + width > left && y + height > top;
}

/** Whether a frame holds a node whole: it moves with the frame. */
export function inside(frame: FlowNode, node: FlowNode): boolean {
  const edge = node.id === frame.id || node.id === GRAPH_INPUT || node.id === GRAPH_OUTPUT;
  return !edge && holds(boxOf(frame), boxOf(node));
}

function boxOf({ position, width = 0, height = 0 }: FlowNode): Bounds {
  return [position.x, position.y, width, height];
}

/** The rectangle around nodes; null if there are none. */
export function boundsOf(nodes: readonly FlowNode[]) {
  if (nodes.length === 0) return null;
  const x = Math.min(...nodes.map((node) => node.position.x));
  const y = Math.min(...nodes.map((node) => node.position.y));
  const right = Math.max(...nodes.map((node) => node.position.x + (node.width ?? 0)));
  const bottom = Math.max(...nodes.map((node) => node.position.y + (node.height ?? 0)));
  return { x, y, width: right - x, height: bottom - y };
}

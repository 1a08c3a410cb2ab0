/** What the active graph looks like: boxes and wires by place, for all that is not React. */

import {
  type Bounds,
  GRAPH_INPUT,
  GRAPH_OUTPUT,
  type Graph,
  type GraphNode,
  type Point,
  type Workflow,
} from "../model/document";
import { holds, type Measures } from "../model/measures";
import type { NodeShape, NodeTypes } from "../model/shape";
import { measuresOf, shapeOf } from "../nodes/shapes";
import { boundaryNodes, type FlowEdge, type FlowNode, flowEdge, flowGroup, flowNode } from "./flow";

export interface Scene {
  readonly graph: Graph;
  readonly nodes: readonly FlowNode[];
  readonly edges: readonly FlowEdge[];
  readonly shapes: ReadonlyMap<string, NodeShape>;
  readonly measures: ReadonlyMap<string, Measures>;
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

/** The scene, with the lists of the one before where nothing in them is new. */
export function makeScene(parts: SceneParts, before: Scene | null): Scene {
  const { graph, workflow, types } = parts;
  const shapes = new Map<string, NodeShape>();
  const measures = new Map<string, Measures>();
  const flows = new Map<string, FlowNode>();
  const nodes: FlowNode[] = [...graph.groups.values()].map((group) =>
    flowGroup(group, parts.selection.has(group.id)),
  );
  for (const node of graph.nodes.values()) {
    const shape = shapeOf(node, graph, workflow, types);
    const shows = parts.showing.has(parts.prefix + node.id);
    const sizes = measuresOf(node, graph, workflow, types, shows);
    shapes.set(node.id, shape);
    measures.set(node.id, sizes);
    const selected = parts.selection.has(node.id);
    const flow = flowNode(node, shape, sizes, selected, before?.flows.get(node.id));
    flows.set(node.id, flow);
    nodes.push(flow);
  }
  const subgraph = workflow.subgraphs.get(parts.graphId);
  if (subgraph !== undefined) nodes.push(...boundaryNodes(subgraph, extent(graph, measures)));
  const edges: FlowEdge[] = [];
  for (const link of graph.links.values()) {
    const edge = flowEdge(link, graph, subgraph, parts.selectedLinks.has(link.id));
    if (edge !== null) edges.push(edge);
  }
  return {
    graph,
    nodes: same(before?.nodes, nodes),
    edges: same(before?.edges, edges),
    shapes,
    measures,
    flows,
  };
}

function same<T>(before: readonly T[] | undefined, now: readonly T[]): readonly T[] {
  const equal = before?.length === now.length && now.every((item, at) => item === before[at]);
  return equal && before !== undefined ? before : now;
}

function extent(graph: Graph, measures: ReadonlyMap<string, Measures>): readonly [Point, Point] {
  const nodes = [...graph.nodes.values()];
  if (nodes.length === 0)
    return [
      [0, 0],
      [400, 300],
    ];
  const right = (node: GraphNode) => node.position[0] + (measures.get(node.id)?.size[0] ?? 0);
  return [
    [
      Math.min(...nodes.map((node) => node.position[0])),
      Math.min(...nodes.map((node) => node.position[1])),
    ],
    [Math.max(...nodes.map(right)), 0],
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

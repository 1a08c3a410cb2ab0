/** Shapes and measures of the nodes in view, worked out once for each state of a node. */

import type { Graph, GraphNode, Link, NodeId, Workflow } from "../model/document";
import { linksOfTarget } from "../model/document";
import { type Measures, measure } from "../model/measures";
import { type NodeShape, type NodeTypes, nodeShape } from "../model/shape";
import { useKept } from "../state/kept";
import { useServer } from "../state/server";
import { activeGraph, activeTab, pathOf, useWorkspace, type Workspace } from "../state/workspace";

interface Known {
  links: readonly Link[];
  readonly subgraphs: Workflow["subgraphs"];
  readonly types: NodeTypes;
  readonly shape: NodeShape;
  measures: readonly [boolean, Measures] | null;
}

const known = new WeakMap<GraphNode, Known>();
const NO_LINKS: readonly Link[] = [];

function knownOf(node: GraphNode, graph: Graph, workflow: Workflow, types: NodeTypes): Known {
  const before = known.get(node);
  const links = linksOfTarget(graph).get(node.id) ?? NO_LINKS;
  const { subgraphs } = workflow;
  const same =
    before !== undefined &&
    isSameSlots(before.links, links) &&
    before.types === types &&
    (before.subgraphs === subgraphs || !subgraphs.has(node.type));
  if (same) {
    before.links = links;
    return before;
  }
  const shape = nodeShape(node, graph, workflow, types);
  const now: Known = { links, subgraphs, types, shape, measures: null };
  known.set(node, now);
  return now;
}

function isSameSlots(one: readonly Link[], other: readonly Link[]): boolean {
  if (one === other) return true;
  return one.length === other.length && one.every(({ toSlot }, at) => toSlot === other[at]?.toSlot);
}

export function shapeOf(node: GraphNode, graph: Graph, workflow: Workflow, types: NodeTypes) {
  return knownOf(node, graph, workflow, types).shape;
}

export function measuresOf(
  node: GraphNode,
  graph: Graph,
  workflow: Workflow,
  types: NodeTypes,
  shows: boolean,
): Measures {
  const one = knownOf(node, graph, workflow, types);
  const showing = shows || one.shape.shows;
  if (one.measures?.[0] !== showing) one.measures = [showing, measure(node, one.shape, showing)];
  return one.measures[1];
}

/** The nodes of the active tab's run that have something to show, as their paths. */
export function showingPaths(state = useServer.getState(), tab = useWorkspace.getState().active) {
  const run = state.runs.get(state.shown.get(tab) ?? "");
  if (run === undefined) return NOTHING;
  const before = showing.get(run.nodes);
  if (before !== undefined) return before;
  const paths = [...run.nodes]
    .filter(([, one]) => one.previewUrl !== undefined || one.output !== undefined)
    .map(([path]) => path)
    .join("\n");
  const found = interned.get(paths) ?? new Set(paths.split("\n"));
  if (interned.size > 50) interned.clear();
  interned.set(paths, found);
  showing.set(run.nodes, found);
  return found;
}

const NOTHING: ReadonlySet<string> = new Set();
const showing = new WeakMap<object, ReadonlySet<string>>();
const interned = new Map<string, ReadonlySet<string>>();

export function useShowing(): ReadonlySet<string> {
  const tab = useWorkspace((state) => state.active);
  return useServer((state) => showingPaths(state, tab));
}

export function useTypes(): NodeTypes {
  return useServer((state) => state.nodes);
}

export function useNode(id: NodeId): GraphNode | undefined {
  return useWorkspace((state) => activeGraph(state).nodes.get(id));
}

/** A node's shape; the same object until something in it is new. */
export function useShape(id: NodeId): NodeShape | undefined {
  const types = useTypes();
  const kept = useKept<NodeShape | undefined>();
  return useWorkspace((state) => kept(shapeAt(state, id, types)));
}

export function shapeAt(
  state: Workspace,
  id: NodeId,
  types = useServer.getState().nodes,
): NodeShape | undefined {
  const tab = activeTab(state);
  const graph = activeGraph(state);
  const node = graph.nodes.get(id);
  if (tab === undefined || node === undefined) return undefined;
  return shapeOf(node, graph, tab.workflow, types);
}

/** A node's measures; the same object until something in them is new. */
export function useMeasures(id: NodeId): Measures | undefined {
  const types = useTypes();
  const path = usePath(id);
  const shows = useShowing().has(path);
  const kept = useKept<Measures | undefined>();
  return useWorkspace((state) => {
    const tab = activeTab(state);
    const graph = activeGraph(state);
    const node = graph.nodes.get(id);
    if (tab === undefined || node === undefined) return kept(undefined);
    return kept(measuresOf(node, graph, tab.workflow, types, shows));
  });
}

/** Measures outside of React, for layout, alignment and frames. */
export function measuresAt(id: NodeId): Measures | undefined {
  const tab = activeTab();
  const graph = activeGraph();
  const node = graph.nodes.get(id);
  if (tab === undefined || node === undefined) return undefined;
  const shows = showingPaths().has(pathOf(id));
  return measuresOf(node, graph, tab.workflow, useServer.getState().nodes, shows);
}

export function usePath(id: NodeId): string {
  return useWorkspace((state) => pathOf(id, state));
}

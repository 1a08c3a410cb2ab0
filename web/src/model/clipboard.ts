/** Nodes as a text that other tabs and other windows can paste. */

import { type Change, frameAround } from "./changes";
import {
  freshId,
  type Graph,
  type GraphId,
  type Group,
  graphOf,
  type Link,
  type NodeId,
  type Point,
  type Subgraph,
  type Workflow,
} from "./document";
import { isObject, parseJson, writeJson } from "./json";
import { parseNative, toNative } from "./native";
import { accepts } from "./sockets";

const FORMAT = "graphengine nodes";

/** The nodes and frames with their links, those from outside too, and the subgraphs they use. */
export function copied(workflow: Workflow, graphId: GraphId, ids: ReadonlySet<string>): string {
  const graph = graphOf(workflow, graphId);
  const nodes = new Map([...graph.nodes].filter(([id]) => ids.has(id)));
  const links = new Map([...graph.links].filter(([, link]) => nodes.has(link.to)));
  const groups = new Map([...graph.groups].filter(([id]) => ids.has(id)));
  const part: Workflow = {
    version: workflow.version,
    top: { ...graph, nodes, links, groups, panel: {}, models: [], extra: {} },
    subgraphs: usedBy(workflow, { ...graph, nodes }),
  };
  return writeJson({ ...toNative(part), format: FORMAT });
}

export interface Pasted {
  readonly change: Change;
  readonly nodes: readonly NodeId[];
}

/**
 * The change that pastes a copied text with its corner at a point; null if it is none, "itself" if a
 * subgraph would hold itself.
 */
export function pasted(
  text: string,
  workflow: Workflow,
  graphId: GraphId,
  at: Point,
  withOuterLinks: boolean,
): Pasted | "itself" | null {
  const part = partOf(text);
  if (part === null || (part.top.nodes.size === 0 && part.top.groups.size === 0)) return null;
  if (part.subgraphs.has(graphId)) return "itself";
  const graph = graphOf(workflow, graphId);
  const names = renamed(part.top.nodes.keys(), graph.nodes.keys());
  const [left, top] = corner(part.top);
  const move = ([x, y]: Point): Point => [x - left + at[0], y - top + at[1]];
  const nodes = [...part.top.nodes.values()].map((node) => ({
    ...node,
    id: names.get(node.id) ?? node.id,
    position: move(node.position),
  }));
  let nextLink = Number(freshId(graph.links.keys()));
  const links = [...part.top.links.values()].flatMap((link): Link[] => {
    const inner = names.has(link.from);
    if (!inner && !(withOuterLinks && offers(graph, link))) return [];
    const from = names.get(link.from) ?? link.from;
    return [{ ...link, id: String(nextLink++), from, to: names.get(link.to) ?? link.to }];
  });
  const groups = [...part.top.groups.values()].map(
    (group, place): Group => ({
      ...group,
      id: `${group.id}-${Date.now().toString(36)}-${place}`,
      bounds: [...move([group.bounds[0], group.bounds[1]]), group.bounds[2], group.bounds[3]],
    }),
  );
  const subgraphs = [...part.subgraphs.values()].filter((one) => !workflow.subgraphs.has(one.id));
  return {
    nodes: nodes.map((node) => node.id),
    change: {
      kind: "batch",
      changes: [
        ...subgraphs.map((subgraph): Change => ({ kind: "add-subgraph", subgraph })),
        {
          kind: "add",
          graph: graphId,
          nodes: nodes.map((item) => ({ item })),
          links: links.map((item) => ({ item })),
          groups: groups.map((item) => ({ item })),
        },
      ],
    },
  };
}

export function isCopied(text: string): boolean {
  return partOf(text) !== null;
}

function partOf(text: string): Workflow | null {
  if (!text.includes(FORMAT)) return null;
  try {
    const data = parseJson(text);
    return isObject(data) && data["format"] === FORMAT ? parseNative(data) : null;
  } catch {
    return null;
  }
}

/** Whether the graph has the output from which a copied link came. */
function offers(graph: Graph, link: Link): boolean {
  const slot = graph.nodes.get(link.from)?.outputs[link.fromSlot];
  return slot !== undefined && accepts(link.type, slot.type);
}

function renamed(ids: Iterable<NodeId>, taken: Iterable<NodeId>): ReadonlyMap<NodeId, NodeId> {
  let next = Number(freshId(taken));
  return new Map([...ids].map((id) => [id, String(next++)]));
}

function corner(graph: Graph): Point {
  const bounds = [
    ...[...graph.nodes.values()].map((node) => [...node.position, 0, 0] as const),
    ...[...graph.groups.values()].map((group) => group.bounds),
  ];
  const [x, y] = frameAround(bounds, 0);
  return [x, y];
}

function usedBy(workflow: Workflow, graph: Graph): ReadonlyMap<GraphId, Subgraph> {
  const found = new Map<GraphId, Subgraph>();
  const waiting = [graph];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    for (const node of at.nodes.values()) {
      const subgraph = workflow.subgraphs.get(node.type);
      if (subgraph === undefined || found.has(subgraph.id)) continue;
      found.set(subgraph.id, subgraph);
      waiting.push(subgraph.graph);
    }
  }
  return found;
}

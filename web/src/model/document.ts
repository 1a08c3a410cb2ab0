/**
 * A workflow as the editor holds it: graphs of nodes and links, readonly and by id.
 *
 * It is the server's saved workflow (graphengine/native.py). What we do not know stays in `extra`.
 */

import type { Json, JsonObject } from "./json";

export type NodeId = string;
export type LinkId = string;
export type GroupId = string;

/** A subgraph's id, or `TOP`. */
export type GraphId = string;
export const TOP: GraphId = "";

/** The nodes of a subgraph that stand for its inputs and its outputs, as links name them. */
export const GRAPH_INPUT: NodeId = "-10";
export const GRAPH_OUTPUT: NodeId = "-20";

/** x, y in pixels of the canvas. */
export type Point = readonly [number, number];
/** width, height. */
export type Size = readonly [number, number];
export type Bounds = readonly [x: number, y: number, width: number, height: number];

export type Mode = "always" | "muted" | "bypassed" | number;

/** A place on a node where links begin or end. `widget`: the value that a link replaces. */
export interface Slot {
  readonly name: string;
  readonly type: string;
  readonly widget?: string;
  /** The link that the file names here and that its list of links does not have. */
  readonly link?: string;
  readonly extra?: JsonObject;
}

export interface GraphNode {
  readonly id: NodeId;
  readonly type: string;
  readonly version: number;
  readonly title: string | null;
  readonly mode: Mode;
  readonly position: Point;
  readonly size: Size | null;
  /** The widgets' values by name, those behind links and those nobody knows too. */
  readonly values: JsonObject;
  /** What happens to a seed after a run: fixed, increment, decrement, randomize. */
  readonly afterRun: { readonly [name: string]: string };
  readonly unnamed: readonly Json[];
  readonly inputs: readonly Slot[];
  readonly outputs: readonly Slot[];
  readonly saved: JsonObject;
  readonly extra: JsonObject;
}

/** A link from a node's output to a node's input, by their places among the slots. */
export interface Link {
  readonly id: LinkId;
  readonly from: NodeId;
  readonly fromSlot: number;
  readonly to: NodeId;
  readonly toSlot: number;
  readonly type: string;
  readonly extra?: JsonObject;
}

/** A frame around nodes. */
export interface Group {
  readonly id: GroupId;
  readonly title: string;
  readonly bounds: Bounds;
  readonly color: string | null;
  readonly extra: JsonObject;
}

export interface Graph {
  readonly nodes: ReadonlyMap<NodeId, GraphNode>;
  readonly links: ReadonlyMap<LinkId, Link>;
  readonly groups: ReadonlyMap<GroupId, Group>;
  /** The model files that the workflow was made with: name, directory, hash, url. */
  readonly models: readonly JsonObject[];
  /** What was chosen in the settings panel. */
  readonly panel: JsonObject;
  readonly extra: JsonObject;
}

/** A graph that is used as a node; `inputs` and `outputs` are that node's slots. */
export interface Subgraph {
  readonly id: GraphId;
  readonly name: string;
  readonly inputs: readonly Slot[];
  readonly outputs: readonly Slot[];
  readonly graph: Graph;
}

export interface Workflow {
  readonly version: number;
  readonly top: Graph;
  readonly subgraphs: ReadonlyMap<GraphId, Subgraph>;
}

export const EMPTY_GRAPH: Graph = {
  nodes: new Map(),
  links: new Map(),
  groups: new Map(),
  models: [],
  panel: {},
  extra: {},
};

export const EMPTY_WORKFLOW: Workflow = { version: 1, top: EMPTY_GRAPH, subgraphs: new Map() };

/** A graph of a workflow; an empty one if there is none of that id. */
export function graphOf(workflow: Workflow, id: GraphId): Graph {
  if (id === TOP) return workflow.top;
  return workflow.subgraphs.get(id)?.graph ?? EMPTY_GRAPH;
}

export function withGraph(workflow: Workflow, id: GraphId, graph: Graph): Workflow {
  if (id === TOP) return { ...workflow, top: graph };
  const before = workflow.subgraphs.get(id);
  if (before === undefined) return workflow;
  const subgraphs = new Map(workflow.subgraphs).set(id, { ...before, graph });
  return { ...workflow, subgraphs };
}

/** A node with nothing in it but what is given. */
export function makeNode(fields: Partial<GraphNode> & Pick<GraphNode, "id" | "type">): GraphNode {
  return {
    version: 0,
    title: null,
    mode: "always",
    position: [0, 0],
    size: null,
    values: {},
    afterRun: {},
    unnamed: [],
    inputs: [],
    outputs: [],
    saved: {},
    extra: {},
    ...fields,
  };
}

/** An id above all that are whole numbers; `taken` are ids to be given in the same change. */
export function freshId(ids: Iterable<string>): string {
  let highest = 0;
  for (const id of ids) if (/^\d{1,15}$/.test(id)) highest = Math.max(highest, Number(id));
  return String(highest + 1);
}

/** The links that end in an input, in the order of the slots. */
export function linksInto(graph: Graph, node: NodeId, name?: string): readonly Link[] {
  const slots = graph.nodes.get(node)?.inputs;
  return (
    linksOfTarget(graph)
      .get(node)
      ?.filter((link) => name === undefined || slots?.[link.toSlot]?.name === name) ?? []
  );
}

export function linksOutOf(graph: Graph, node: NodeId): readonly Link[] {
  return linksOfOrigin(graph).get(node) ?? [];
}

type LinksByNode = ReadonlyMap<NodeId, readonly Link[]>;
const byTarget = new WeakMap<Graph["links"], LinksByNode>();
const byOrigin = new WeakMap<Graph["links"], LinksByNode>();

/** The links by the node that they end in; counted once for each set of links. */
export function linksOfTarget(graph: Graph): LinksByNode {
  return indexed(graph.links, byTarget, (link) => link.to);
}

export function linksOfOrigin(graph: Graph): LinksByNode {
  return indexed(graph.links, byOrigin, (link) => link.from);
}

function indexed(
  links: Graph["links"],
  known: WeakMap<Graph["links"], LinksByNode>,
  end: (link: Link) => NodeId,
): LinksByNode {
  const before = known.get(links);
  if (before !== undefined) return before;
  const found = new Map<NodeId, Link[]>();
  for (const link of links.values()) {
    const list = found.get(end(link));
    if (list === undefined) found.set(end(link), [link]);
    else list.push(link);
  }
  for (const list of found.values()) list.sort((a, b) => a.toSlot - b.toSlot);
  known.set(links, found);
  return found;
}

/** Nodes in columns, each to the right of its sources; what a frame holds stays together. */

import { later } from "../later";
import { frameAround } from "./changes";
import type { Bounds, Graph, GroupId, NodeId, Point, Size } from "./document";
import { holds } from "./measures";

const dagre = later(() => import("@dagrejs/dagre"));

const COLUMN_GAP = 70;
const ROW_GAP = 36;
const FRAME_MARGIN = 24;
const FRAME_TITLE = 28;

export interface Layout {
  readonly nodes: { readonly [id: NodeId]: Point };
  /** The frames around the nodes that they held before. */
  readonly groups: { readonly [id: GroupId]: Bounds };
}

/** The frame around boxes, with room for its title. */
export function frameOf(boxes: readonly Bounds[]): Bounds {
  const [x, y, width, height] = frameAround(boxes, FRAME_MARGIN);
  return [x, y - FRAME_TITLE, width, height + FRAME_TITLE];
}

/** Where all the nodes go, or those of a selection, which keep their upper left corner. */
export async function layout(
  graph: Graph,
  ids: readonly NodeId[],
  sizeOf: (id: NodeId) => Size,
): Promise<Layout> {
  const { Graph: Dagre, layout: place } = await dagre()
    .then((module) => module.default ?? module)
    .then((dagre) => ({ Graph: dagre.graphlib.Graph, layout: dagre.layout }));
  const frames = framesOf(graph, ids, sizeOf);
  const drawn = new Dagre({ multigraph: true, compound: true });
  drawn.setGraph({ rankdir: "LR", ranksep: COLUMN_GAP, nodesep: ROW_GAP });
  drawn.setDefaultEdgeLabel(() => ({}));
  const inside = new Set(ids);
  for (const { id } of frames) drawn.setNode(id, {});
  for (const id of ids) {
    const [width, height] = sizeOf(id);
    drawn.setNode(id, { width, height });
  }
  for (const { id, items } of frames) for (const item of items) drawn.setParent(item, id);
  for (const link of graph.links.values()) {
    if (inside.has(link.from) && inside.has(link.to))
      drawn.setEdge(link.from, link.to, {}, link.id);
  }
  place(drawn);
  const placed = ids.map((id): [NodeId, Point] => {
    const { x, y, width, height } = drawn.node(id) as Record<
      "x" | "y" | "width" | "height",
      number
    >;
    return [id, [Math.round(x - width / 2), Math.round(y - height / 2)]];
  });
  const [left, top] = cornerOf(ids.map((id) => graph.nodes.get(id)?.position ?? [0, 0]));
  const [newLeft, newTop] = cornerOf(placed.map(([, point]) => point));
  const boxes = new Map<string, Bounds>(
    placed.map(([id, [x, y]]) => [id, [x - newLeft + left, y - newTop + top, ...sizeOf(id)]]),
  );
  for (const { id, items } of frames) {
    boxes.set(id, frameOf(items.flatMap((item) => list(boxes.get(item)))));
  }
  return {
    nodes: Object.fromEntries(
      ids.map((id) => {
        const [x, y] = boxes.get(id) ?? [0, 0];
        return [id, [x, y] as const];
      }),
    ),
    groups: Object.fromEntries(
      frames.flatMap(({ id }) => list(boxes.get(id)).map((box) => [id, box])),
    ),
  };
}

interface Frame {
  readonly id: GroupId;
  /** The nodes and frames that it holds itself, not those of the frames in it. */
  readonly items: readonly string[];
}

/** The frames around the nodes, the inner ones first; one that holds other nodes too stays. */
function framesOf(
  graph: Graph,
  ids: readonly NodeId[],
  sizeOf: (id: NodeId) => Size,
): readonly Frame[] {
  const moved = new Set(ids);
  const loose = new Map<string, Bounds>();
  for (const { id, position } of graph.nodes.values()) {
    loose.set(id, [...position, ...sizeOf(id)]);
  }
  const area = ([, , width, height]: Bounds) => width * height;
  const groups = [...graph.groups.values()].sort((a, b) => area(a.bounds) - area(b.bounds));
  const frames: Frame[] = [];
  for (const { id, bounds } of groups) {
    const items = [...loose].filter(([, box]) => holds(bounds, box)).map(([item]) => item);
    const whole = items.every((item) => moved.has(item));
    if (items.length === 0 || !whole) continue;
    for (const item of items) loose.delete(item);
    loose.set(id, bounds);
    moved.add(id);
    frames.push({ id, items });
  }
  return frames;
}

function list<T>(value: T | undefined): readonly T[] {
  return value === undefined ? [] : [value];
}

function cornerOf(points: readonly Point[]): Point {
  return [Math.min(...points.map(([x]) => x)), Math.min(...points.map(([, y]) => y))];
}

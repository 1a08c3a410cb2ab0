/** Nodes in columns, each to the right of its sources. */

import type { Graph, NodeId, Point, Size } from "./document";

const COLUMN_GAP = 70;
const ROW_GAP = 36;

/** Where all the nodes go, or those of a selection, which keep their upper left corner. */
export async function layout(
  graph: Graph,
  ids: readonly NodeId[],
  sizeOf: (id: NodeId) => Size,
): Promise<{ readonly [id: NodeId]: Point }> {
  const { Graph: Dagre, layout: place } = await import("@dagrejs/dagre")
    .then((module) => module.default ?? module)
    .then((dagre) => ({ Graph: dagre.graphlib.Graph, layout: dagre.layout }));
  const drawn = new Dagre({ multigraph: true });
  drawn.setGraph({ rankdir: "LR", ranksep: COLUMN_GAP, nodesep: ROW_GAP });
  drawn.setDefaultEdgeLabel(() => ({}));
  const inside = new Set(ids);
  for (const id of ids) {
    const [width, height] = sizeOf(id);
    drawn.setNode(id, { width, height });
  }
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
  return Object.fromEntries(
    placed.map(([id, [x, y]]) => [id, [x - newLeft + left, y - newTop + top] as const]),
  );
}

function cornerOf(points: readonly Point[]): Point {
  return [Math.min(...points.map(([x]) => x)), Math.min(...points.map(([, y]) => y))];
}

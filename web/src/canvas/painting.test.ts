import { expect, test } from "vitest";
import { EMPTY_GRAPH, makeNode } from "../model/document";
import type { FlowNode } from "./flow";
import { type Palette, paint } from "./painting";

const PALETTE = {
  node: "white",
  header: "grey",
  outline: "silver",
  text: "black",
  tinting: 0.35,
  frameTinting: 0.22,
} as Palette;

function flow(id: string, type: string): FlowNode {
  return {
    id,
    type,
    position: { x: 0, y: 0 },
    width: 200,
    height: 100,
    data: { yields: undefined },
  };
}

test("titles and frames have as much of their colour as where nodes are built, and their names", () => {
  const node = makeNode({ id: "1", type: "Note it", extra: { color: "#332222" } });
  const group = { id: "g", title: "Step 1", bounds: [0, 0, 200, 100], color: "#88a", extra: {} };
  const graph = {
    ...EMPTY_GRAPH,
    nodes: new Map([["1", node]]),
    groups: new Map([["g", group as never]]),
  };
  const filled: [string, number][] = [];
  const written: [string, string, number][] = [];
  const context = {
    canvas: { width: 800, height: 600 },
    globalAlpha: 1,
    fillStyle: "",
    setTransform() {},
    clearRect() {},
    fillRect() {
      filled.push([this.fillStyle, this.globalAlpha]);
    },
    fillText(text: string) {
      written.push([text, this.fillStyle, this.globalAlpha]);
    },
  };
  paint(
    context as unknown as CanvasRenderingContext2D,
    {
      graph,
      nodes: [flow("g", "group-frame"), flow("1", "node")],
      edges: [],
      titles: (id) => (id === "g" ? "Step 1" : "Note it"),
      status: () => undefined,
    },
    { x: 0, y: 0, zoom: 0.25 },
    PALETTE,
    1,
  );
  expect(filled).toEqual([
    ["#88a", 0.22],
    ["white", 1],
    ["#332222", 0.35],
  ]);
  expect(written).toEqual([
    ["Step 1", "black", 1],
    ["Note it", "black", 1],
  ]);
});

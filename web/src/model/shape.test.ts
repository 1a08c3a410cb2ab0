import { expect, test } from "vitest";
import type { NodeInfo } from "../protocol/generated";
import { applyChange } from "./changes";
import { EMPTY_WORKFLOW, type GraphNode, graphOf, linksInto, makeNode, TOP } from "./document";
import { connect, nodeOf } from "./edits";
import { nodeShape } from "./shape";

const number = { kind: "int", min: null, max: null, step: 1 };

function input(name: string, more: object = {}) {
  return { name, type: "IMAGE", widget: null, default: null, required: false, ...more };
}

/** A node that takes up to four pictures, two numbers, and has one input besides. */
const info = {
  id: "Batch",
  inputs: [
    ...[0, 1, 2, 3].map((at) => input(`images.image${at}`, { grows: "images", required: at < 1 })),
    ...["left", "right"].map((name) =>
      input(`sides.${name}`, { grows: "sides", type: "INT", widget: number }),
    ),
    input("mask"),
  ],
  outputs: [{ name: "IMAGE", type: "IMAGE" }],
} as unknown as NodeInfo;
const types = new Map([["Batch", info]]);

function shown(workflow: typeof EMPTY_WORKFLOW, id: string) {
  const graph = graphOf(workflow, TOP);
  const shape = nodeShape(graph.nodes.get(id) as GraphNode, graph, workflow, types);
  return [...shape.sockets, ...shape.widgets].map(({ name }) => name.split(".").at(-1));
}

function having(...nodes: GraphNode[]) {
  return applyChange(EMPTY_WORKFLOW, {
    kind: "add",
    graph: TOP,
    nodes: nodes.map((item) => ({ item })),
  })[0];
}

test("of inputs that grow those in use are shown and one that is free", () => {
  const source = makeNode({ id: "1", type: "Source", outputs: [{ name: "IMAGE", type: "IMAGE" }] });
  let workflow = having(source, nodeOf(info, "2", [0, 0]));
  expect(shown(workflow, "2")).toEqual(["image0", "image1", "mask", "left"]);

  const link = (name: string) => {
    const change = connect(workflow, TOP, types, { node: "1", place: 0 }, { node: "2", name });
    if ("refused" in change) throw new Error(change.refused);
    workflow = applyChange(workflow, change)[0];
  };
  link("images.image0");
  expect(shown(workflow, "2")).toEqual(["image0", "image1", "mask", "left"]);
  link("images.image1");
  expect(shown(workflow, "2")).toEqual(["image0", "image1", "image2", "mask", "left"]);
  link("images.image2");
  const all = ["image0", "image1", "image2", "image3", "mask", "left"];
  expect(shown(workflow, "2")).toEqual(all);

  const [, second] = linksInto(graphOf(workflow, TOP), "2");
  workflow = applyChange(workflow, { kind: "remove", graph: TOP, links: [second?.id ?? ""] })[0];
  expect(shown(workflow, "2")).toEqual(all);
});

test("a number that grows is in use once it has a value, and a new node has none", () => {
  const node = nodeOf(info, "2", [0, 0]);
  expect(node.values).toEqual({});
  expect(
    nodeShape(node, graphOf(EMPTY_WORKFLOW, TOP), EMPTY_WORKFLOW, types).widgets[0]?.default,
  ).toBe(undefined);
  const filled = having({ ...node, values: { "sides.left": 3 } });
  expect(shown(filled, "2")).toEqual(["image0", "image1", "mask", "left", "right"]);
});

test("a number that may be none starts as none and may be so again", () => {
  const optional = (name: string, more: object) =>
    input(name, { type: "INT", widget: number, optional: true, ...more });
  const maybe = {
    id: "Maybe",
    inputs: [
      optional("count", {}),
      optional("given", { default: 5 }),
      optional("theirs", { default: 0, required: true }),
    ],
    outputs: [],
  } as unknown as NodeInfo;
  const node = nodeOf(maybe, "1", [0, 0]);
  expect(node.values).toEqual({ count: null, given: 5, theirs: 0 });
  const workflow = having(node);
  const shape = nodeShape(node, graphOf(workflow, TOP), workflow, new Map([["Maybe", maybe]]));
  expect(shape.widgets.map((one) => one.empty)).toEqual(["null", "never", "never"]);
});

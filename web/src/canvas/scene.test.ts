import { describe, expect, test } from "vitest";
import { applyChange, type Change } from "../model/changes";
import { EMPTY_GRAPH, makeNode, TOP, type Workflow } from "../model/document";
import { makeScene, partIn, type SceneParts } from "./scene";

const SOCKET = { name: "clip", type: "CLIP" };
const LOADER = makeNode({ id: "1", type: "Loader", outputs: [SOCKET] });
const PROMPT = makeNode({
  id: "2",
  type: "Prompt",
  position: [300, 0],
  values: { text: "a red heart, white background, sharp, drawn" },
  inputs: [SOCKET],
});
const LINK = { id: "5", from: "1", fromSlot: 0, to: "2", toSlot: 0, type: "CLIP" };
const WORKFLOW: Workflow = {
  version: 1,
  top: {
    ...EMPTY_GRAPH,
    nodes: new Map([LOADER, PROMPT].map((node) => [node.id, node])),
    links: new Map([[LINK.id, LINK]]),
  },
  subgraphs: new Map(),
};
const NOTHING: ReadonlySet<string> = new Set();
const TYPES = new Map();

function partsOf(workflow: Workflow, selection = NOTHING): SceneParts {
  return {
    graph: workflow.top,
    graphId: TOP,
    workflow,
    types: TYPES,
    selection,
    selectedLinks: NOTHING,
    showing: NOTHING,
    prefix: "",
  };
}

function changed(change: Change): Workflow {
  return applyChange(WORKFLOW, change)[0];
}

describe("a scene", () => {
  const scene = makeScene(partsOf(WORKFLOW), null);

  test("stays as it was when a text is typed", () => {
    const value = "a red heart, white background, sharp, drawn by";
    const typed = changed({ kind: "set-value", graph: TOP, node: "2", name: "text", value });
    expect(makeScene(partsOf(typed), scene)).toBe(scene);
  });

  test("is new only in the node that was moved", () => {
    const now = makeScene(
      partsOf(changed({ kind: "move", graph: TOP, to: { "2": [9, 9] } })),
      scene,
    );
    expect(now.nodes[1]?.position).toEqual({ x: 9, y: 9 });
    expect(now.nodes[0]).toBe(scene.nodes[0]);
    expect(now.edges).toBe(scene.edges);
  });

  test("follows an input that gets another name", () => {
    const fields = { inputs: [{ ...SOCKET, name: "encoder" }] };
    const named = changed({ kind: "edit-node", graph: TOP, node: "2", fields });
    expect(makeScene(partsOf(named), scene).edges[0]?.targetHandle).toBe("encoder");
  });

  test("loses the link of a node that is removed", () => {
    const removed = changed({ kind: "remove", graph: TOP, nodes: ["1"] });
    const now = makeScene(partsOf(removed), scene);
    expect(now.nodes.map((node) => node.id)).toEqual(["2"]);
    expect(now.edges).toEqual([]);
  });

  test("follows the selection", () => {
    const now = makeScene(partsOf(WORKFLOW, new Set(["1"])), scene);
    expect(now.nodes.map((node) => node.selected)).toEqual([true, false]);
  });
});

describe("the part of a scene in an area", () => {
  const scene = makeScene(partsOf(WORKFLOW), null);
  const ids = ({ nodes, edges }: ReturnType<typeof partIn>) => [
    nodes.map((node) => node.id),
    edges.map((edge) => edge.id),
  ];
  const between = [265, 10, 10, 10] as const;
  const away = [5000, 5000, 100, 100] as const;

  test("is all nodes and links in it", () => {
    expect(ids(partIn(scene, [-10, -10, 900, 900], new Map()))).toEqual([["1", "2"], ["5"]]);
  });

  test("is nothing where nothing is", () => {
    expect(ids(partIn(scene, away, new Map()))).toEqual([[], []]);
  });

  test("has the link that crosses it, and its ends", () => {
    expect(ids(partIn(scene, between, new Map()))).toEqual([["1", "2"], ["5"]]);
  });

  test("has what is selected, wherever it is, with what it is linked to", () => {
    const selected = makeScene(partsOf(WORKFLOW, new Set(["1"])), null);
    expect(ids(partIn(selected, away, new Map()))).toEqual([["1", "2"], ["5"]]);
  });

  test("has a node that is dragged into it", () => {
    const places = new Map([["2", { x: 5000, y: 5000 }]]);
    expect(ids(partIn(scene, away, places))).toEqual([["1", "2"], ["5"]]);
  });
});

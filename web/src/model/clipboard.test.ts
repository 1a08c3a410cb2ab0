import { expect, test } from "vitest";
import { applyChange } from "./changes";
import { copied, isCopied, pasted } from "./clipboard";
import { EMPTY_WORKFLOW, graphOf, makeNode, TOP, type Workflow } from "./document";
import { makeSubgraph, promoteInput, unpackSubgraph } from "./subgraphs";

const source = makeNode({
  id: "1",
  type: "Source",
  outputs: [{ name: "IMAGE", type: "IMAGE" }],
});
const scale = makeNode({
  id: "2",
  type: "Scale",
  position: [300, 40],
  values: { by: 2 },
  inputs: [{ name: "image", type: "IMAGE" }],
  outputs: [{ name: "IMAGE", type: "IMAGE" }],
});
const link = { id: "7", from: "1", fromSlot: 0, to: "2", toSlot: 0, type: "IMAGE" };
const workflow: Workflow = {
  ...EMPTY_WORKFLOW,
  top: {
    ...EMPTY_WORKFLOW.top,
    nodes: new Map([source, scale].map((node) => [node.id, node])),
    links: new Map([[link.id, link]]),
  },
};
const text = copied(workflow, TOP, new Set(["2"]));

test("what is pasted leaves its links to others behind unless they are asked for", () => {
  for (const [withOuterLinks, links] of [
    [false, 1],
    [true, 2],
  ] as const) {
    const found = pasted(text, workflow, TOP, [0, 0], withOuterLinks);
    if (found === "itself") throw new Error("no subgraph is copied here");
    expect(found?.nodes).toEqual(["3"]);
    const [after] = applyChange(workflow, found?.change ?? { kind: "batch", changes: [] });
    expect(after.top.links.size).toBe(links);
    expect(after.top.nodes.get("3")).toMatchObject({ position: [0, 0], values: { by: 2 } });
  }
});

test("another text is no copied nodes", () => {
  expect(isCopied("graphengine nodes")).toBe(false);
  expect(pasted('{"format": "other"}', workflow, TOP, [0, 0], true)).toBeNull();
});

test("a subgraph is made, promotes a value, and is unpacked with the instance's value", () => {
  const [made, id] = makeSubgraph(workflow, TOP, new Set(["2"]), "scaling");
  const [packed] = applyChange(workflow, made);
  const type = packed.top.nodes.get(id)?.type ?? "";
  const input = { name: "by", type: "FLOAT", isWidget: true, value: 2 };
  const [promoted] = applyChange(packed, promoteInput(packed, type, scale, input));
  const instance = promoted.top.nodes.get(id) ?? scale;
  expect(instance.values).toEqual({ by: 2 });
  const own = { ...instance, values: { by: 3 } };

  const [change, ids] = unpackSubgraph(promoted, TOP, own);
  const [unpacked] = applyChange(promoted, change);

  expect(ids).toHaveLength(1);
  expect(unpacked.top.nodes.get(ids[0] ?? "")).toMatchObject({ type: "Scale", values: { by: 3 } });
  expect([...unpacked.top.links.values()]).toMatchObject([{ from: "1", to: ids[0] }]);
  expect(unpacked.subgraphs.size).toBe(0);
});

test("a subgraph is not pasted into itself", () => {
  const [made, id] = makeSubgraph(workflow, TOP, new Set(["2"]), "scaling");
  const [packed] = applyChange(workflow, made);
  const type = packed.top.nodes.get(id)?.type ?? "";
  expect(graphOf(packed, type).nodes.size).toBe(1);

  expect(pasted(copied(packed, TOP, new Set([id])), packed, type, [0, 0], false)).toBe("itself");
});

import { describe, expect, test } from "vitest";
import { applyChange, type Change } from "./changes";
import {
  EMPTY_WORKFLOW,
  GRAPH_INPUT,
  GRAPH_OUTPUT,
  type Graph,
  type GraphNode,
  graphOf,
  type Link,
  makeNode,
  TOP,
  type Workflow,
} from "./document";
import { addInto, addJoined } from "./edits";
import { layout } from "./layout";
import { holds } from "./measures";
import {
  demoteInput,
  demoteOutput,
  labelled,
  makeSubgraph,
  promoteInput,
  unpackSubgraph,
} from "./subgraphs";

const IMAGE = { name: "IMAGE", type: "IMAGE" };
const source = makeNode({ id: "1", type: "Source", outputs: [IMAGE] });
const scale = makeNode({
  id: "2",
  type: "Scale",
  position: [300, 0],
  values: { by: 2 },
  inputs: [{ name: "image", type: "IMAGE" }],
  outputs: [IMAGE],
});
const save = makeNode({
  id: "3",
  type: "Save",
  position: [600, 0],
  inputs: [{ name: "images", type: "IMAGE" }],
});
const links: readonly Link[] = [
  { id: "1", from: "1", fromSlot: 0, to: "2", toSlot: 0, type: "IMAGE" },
  { id: "2", from: "2", fromSlot: 0, to: "3", toSlot: 0, type: "IMAGE" },
];
const workflow: Workflow = {
  ...EMPTY_WORKFLOW,
  top: {
    ...EMPTY_WORKFLOW.top,
    nodes: new Map([source, scale, save].map((node) => [node.id, node])),
    links: new Map(links.map((link) => [link.id, link])),
  },
};

const applied = (before: Workflow, change: Change) => applyChange(before, change)[0];
const ends = (graph: Graph) =>
  [...graph.links.values()].map(
    (link) => `${link.from}.${link.fromSlot} → ${link.to}.${link.toSlot}`,
  );

describe("a new node", () => {
  const fresh: GraphNode = { ...scale, id: "4" };
  const types = new Map();

  test("put into a link passes on what went along it", () => {
    const made = applied(workflow, addInto(workflow, TOP, types, fresh, links[1] as Link));
    expect(ends(made.top).sort()).toEqual(["1.0 → 2.0", "2.0 → 4.0", "4.0 → 3.0"]);
  });

  test("comes with its link, and both go at once", () => {
    const change = addJoined(workflow, TOP, types, fresh, { from: { node: "1", place: 0 } });
    const [made, inverse] = applyChange(workflow, change);
    expect(ends(made.top)).toContain("1.0 → 4.0");
    expect(applied(made, inverse)).toEqual(workflow);
  });
});

describe("a subgraph", () => {
  const [making, instance] = makeSubgraph(workflow, TOP, new Set(["2"]), "Larger");
  const made = applied(workflow, making);
  const id = made.top.nodes.get(instance)?.type ?? "";
  const inner = graphOf(made, id).nodes.get("2") as GraphNode;
  const promoted = applied(
    made,
    promoteInput(made, id, inner, { name: "by", type: "FLOAT", isWidget: true, value: 2 }),
  );

  test("stands in its nodes' place", () => {
    expect(ends(made.top).sort()).toEqual([`1.0 → ${instance}.0`, `${instance}.0 → 3.0`]);
    expect(ends(graphOf(made, id)).sort()).toEqual([
      `${GRAPH_INPUT}.0 → 2.0`,
      `2.0 → ${GRAPH_OUTPUT}.0`,
    ]);
  });

  test("gives what is promoted to its instances, and the instance's value back when unpacked", () => {
    expect(promoted.top.nodes.get(instance)?.values).toEqual({ by: 2 });
    const five = applied(promoted, {
      kind: "set-value",
      graph: TOP,
      node: instance,
      name: "by",
      value: 5,
    });
    const [unpacking, [first = ""]] = unpackSubgraph(
      five,
      TOP,
      five.top.nodes.get(instance) as GraphNode,
    );
    const apart = applied(five, unpacking);
    expect(apart.top.nodes.get(first)?.values).toEqual({ by: 5 });
    expect(ends(apart.top).sort()).toEqual([`1.0 → ${first}.0`, `${first}.0 → 3.0`]);
    expect(apart.subgraphs.size).toBe(0);
  });

  test("loses a removed input everywhere, and what stood behind it keeps its links", () => {
    const without = applied(promoted, demoteInput(promoted, id, "image"));
    expect(without.subgraphs.get(id)?.inputs.map((slot) => slot.name)).toEqual(["by"]);
    expect(without.top.nodes.get(instance)?.inputs.map((slot) => slot.name)).toEqual(["by"]);
    expect(ends(without.top)).toEqual([`${instance}.0 → 3.0`]);
    expect(ends(graphOf(without, id))).toContain(`${GRAPH_INPUT}.0 → 2.1`);
    const none = applied(without, demoteInput(without, id, "by"));
    expect(none.top.nodes.get(instance)?.values).toEqual({});
  });

  test("loses a removed output everywhere", () => {
    const without = applied(made, demoteOutput(made, id, "IMAGE"));
    expect(without.subgraphs.get(id)?.outputs).toEqual([]);
    expect(without.top.nodes.get(instance)?.outputs).toEqual([]);
    expect(ends(without.top)).toEqual([`1.0 → ${instance}.0`]);
  });

  test("keeps the name and the id of an input that is called something else", () => {
    const before = promoted.subgraphs.get(id)?.inputs[1];
    const named = applied(promoted, labelled(promoted, id, "inputs", "by", "Factor"));
    expect(named.subgraphs.get(id)?.inputs[1]).toEqual({
      ...before,
      extra: { ...before?.extra, label: "Factor" },
    });
  });
});

test("a layout keeps in a frame what was in it, and out of it what was not", async () => {
  const frame = {
    id: "f",
    title: "",
    bounds: [290, -40, 200, 200] as const,
    color: null,
    extra: {},
  };
  const graph: Graph = { ...workflow.top, groups: new Map([["f", frame]]) };
  const size = [100, 60] as const;
  const found = await layout(graph, ["1", "2", "3"], () => size);
  const bounds = found.groups["f"];
  if (bounds === undefined) throw new Error("the frame has no place");
  const held = ["1", "2", "3"].filter((id) =>
    holds(bounds, [...(found.nodes[id] ?? [0, 0]), ...size]),
  );
  expect(held).toEqual(["2"]);
  const x = (id: string) => found.nodes[id]?.[0] ?? 0;
  expect(x("1")).toBeLessThan(x("2"));
  expect(x("2")).toBeLessThan(x("3"));
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applyChange, type Change } from "./changes";
import { EMPTY_GRAPH, makeNode, TOP, type Workflow } from "./document";
import { GROUPED_MS, MOST_STEPS, NO_HISTORY, recorded, redone, undone } from "./history";
import { writeJson } from "./json";
import { toNative } from "./native";

const ids = fc.constantFrom("1", "2", "3", "4", "5");
const names = fc.constantFrom("text", "seed", "steps");
const values = fc.oneof(fc.integer(), fc.string({ maxLength: 4 }), fc.constant(null));
const point = fc.tuple(fc.integer(), fc.integer());
const node = fc
  .record({ id: ids, position: point, values: fc.dictionary(names, values, { maxKeys: 3 }) })
  .map((fields) => makeNode({ ...fields, type: "Toy" }));
const link = fc
  .record({ id: ids, from: ids, to: ids })
  .map((ends) => ({ ...ends, fromSlot: 0, toSlot: 0, type: "IMAGE" }));
const group = fc
  .record({ id: ids, title: fc.string({ maxLength: 3 }) })
  .map((fields) => ({ ...fields, bounds: [0, 0, 10, 10] as const, color: null, extra: {} }));
const graphId = fc.constantFrom(TOP, "sub", "absent");
const placed = <T>(item: fc.Arbitrary<T>) =>
  fc.array(
    fc.oneof(
      item.map((one) => ({ item: one })),
      fc.record({ item, at: fc.nat(6) }),
    ),
    { maxLength: 3 },
  );
const subgraph = fc.constantFrom("sub", "other").map((id) => ({
  id,
  name: id,
  inputs: [],
  outputs: [],
  graph: EMPTY_GRAPH,
}));

const single: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    kind: fc.constant("add" as const),
    graph: graphId,
    nodes: placed(node),
    links: placed(link),
    groups: placed(group),
  }),
  fc.record({
    kind: fc.constant("remove" as const),
    graph: graphId,
    nodes: fc.array(ids),
    links: fc.array(ids),
    groups: fc.array(ids),
  }),
  fc.record({
    kind: fc.constant("move" as const),
    graph: graphId,
    to: fc.dictionary(ids, point),
  }),
  fc.record({
    kind: fc.constant("resize" as const),
    graph: graphId,
    node: ids,
    size: fc.oneof(point, fc.constant(null)),
  }),
  fc.record({
    kind: fc.constant("set-value" as const),
    graph: graphId,
    node: ids,
    name: names,
    value: fc.oneof(values, fc.constant(undefined)),
  }),
  fc.record({
    kind: fc.constant("edit-node" as const),
    graph: graphId,
    node: ids,
    fields: fc.record({ title: fc.string(), mode: fc.constantFrom("muted", "always") }),
  }) as fc.Arbitrary<Change>,
  fc.record({
    kind: fc.constant("edit-group" as const),
    graph: graphId,
    group: ids,
    fields: fc.record({ title: fc.string() }),
  }),
  fc.record({
    kind: fc.constant("set-panel" as const),
    graph: graphId,
    panel: fc.record({ lcm: fc.boolean() }),
  }),
  subgraph.map((one) => ({ kind: "add-subgraph" as const, subgraph: one })),
  fc.constant({ kind: "remove-subgraph" as const, id: "sub" }),
  fc.constant({ kind: "edit-subgraph" as const, id: "sub", fields: { name: "renamed" } }),
);
const anyChange = fc.oneof(
  single,
  fc.array(single, { maxLength: 4 }).map((changes) => ({ kind: "batch" as const, changes })),
);

const START: Workflow = {
  version: 1,
  top: {
    ...EMPTY_GRAPH,
    nodes: new Map(
      ["1", "2", "3"].map((id) => [
        id,
        makeNode({ id, type: "Toy", values: { text: id, seed: 1 } }),
      ]),
    ),
    links: new Map([
      ["1", { id: "1", from: "1", fromSlot: 0, to: "2", toSlot: 0, type: "IMAGE" }],
      ["2", { id: "2", from: "2", fromSlot: 0, to: "3", toSlot: 0, type: "IMAGE" }],
    ]),
  },
  subgraphs: new Map([
    ["sub", { id: "sub", name: "Sub", inputs: [], outputs: [], graph: EMPTY_GRAPH }],
  ]),
};

const text = (workflow: Workflow) => writeJson(toNative(workflow), 1);

describe("a change", () => {
  test("and its inverse leave the file as it was, to the order of its lines", () => {
    fc.assert(
      fc.property(fc.array(anyChange, { maxLength: 6 }), (changes) => {
        let now = START;
        for (const change of changes) {
          const [after, inverse] = applyChange(now, change);
          const [back, again] = applyChange(after, inverse);
          expect(text(back)).toBe(text(now));
          expect(text(applyChange(back, again)[0])).toBe(text(after));
          now = after;
        }
      }),
      { numRuns: 300 },
    );
  });

  test("of what is not there changes nothing", () => {
    const change = { kind: "set-value", graph: TOP, node: "99", name: "a", value: 1 } as const;
    expect(applyChange(START, change)[0]).toBe(START);
  });
});

describe("the history", () => {
  const set = (value: number): Change => ({
    kind: "set-value",
    graph: TOP,
    node: "1",
    name: "seed",
    value,
  });

  function having(changes: readonly Change[], group: string | undefined, apart: number) {
    let workflow = START;
    let history = NO_HISTORY;
    changes.forEach((change, place) => {
      const [next, inverse] = applyChange(workflow, change);
      history = recorded(history, { change, inverse, group, time: place * apart });
      workflow = next;
    });
    return { workflow, history };
  }

  test("takes back 200 steps and does them again", () => {
    const changes = Array.from({ length: 200 }, (_, place) => set(place + 2));
    let { workflow, history } = having(changes, undefined, 10);
    const done = text(workflow);
    for (let step = 0; step < 200; step += 1) [workflow, history] = undone(workflow, history);
    expect(text(workflow)).toBe(text(START));
    for (let step = 0; step < 200; step += 1) [workflow, history] = redone(workflow, history);
    expect(text(workflow)).toBe(done);
  });

  test("forgets what is older than its limit", () => {
    const changes = Array.from({ length: MOST_STEPS + 5 }, (_, place) => set(place));
    expect(having(changes, undefined, 1).history.past).toHaveLength(MOST_STEPS);
  });

  test("takes typing as one step, and typing after a pause as another", () => {
    const typed = having([set(5), set(6), set(7)], "typing", 100);
    expect(typed.history.past).toHaveLength(1);
    expect(text(undone(typed.workflow, typed.history)[0])).toBe(text(START));
    expect(having([set(5), set(6)], "typing", GROUPED_MS + 1).history.past).toHaveLength(2);
  });
});

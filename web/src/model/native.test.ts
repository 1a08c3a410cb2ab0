import fc from "fast-check";
import { expect, test } from "vitest";
import { type Json, parseJson, writeJson } from "./json";
import { parseNative, toNative } from "./native";

const FILE: Json = {
  format: "graphengine workflow",
  version: 1,
  panel: { lcm: true },
  models: [{ name: "a.safetensors", directory: "checkpoints" }],
  nodes: [
    {
      id: "1",
      type: "Unknown node",
      version: 3,
      title: "Mine",
      mode: "bypassed",
      position: [1, 2],
      size: [3, 4],
      values: { seed: 5, mystery: { deep: [1, null, "x"] } },
      after_run: { seed: "randomize" },
      unnamed_values: ["left over"],
      inputs: [{ name: "image", type: "IMAGE", widget: "image", extra: { label: "Bild" } }],
      outputs: [{ name: "IMAGE", type: "IMAGE" }],
      saved: { widgets_values: [1, 2] },
      extra: { flags: { collapsed: true }, anything: 7 },
    },
  ],
  links: [{ id: "4", from: ["1", 0], to: ["1", 0], type: "IMAGE", extra: { parentId: 3 } }],
  groups: [{ id: 9, font_size: 24, title: "Group", bounding: [0, 0, 100, 50], color: "#333" }],
  extra: { ds: { scale: 0.5 } },
  subgraphs: [
    {
      id: "uuid",
      name: "Part",
      inputs: [{ name: "image", type: "IMAGE", extra: { id: "stable" } }],
      outputs: [{ name: "out", type: "MASK" }],
      links: [{ id: "1", from: ["-10", 0], to: ["-20", 0], type: "*" }],
      extra: { revision: 2 },
    },
  ],
};

test("a file is written as it was read", () => {
  expect(toNative(parseNative(FILE))).toEqual(FILE);
});

test("fields that nobody knows are kept in extra", () => {
  const workflow = parseNative({
    nodes: [{ id: "1", type: "A", surprise: 1, extra: { other: 2 } }],
  });
  const [node] = workflow.top.nodes.values();
  expect(node?.extra).toEqual({ surprise: 1, other: 2 });
});

test("a slot keeps a link that the list of links does not have", () => {
  const nodes = [{ id: "1", type: "A", inputs: [{ name: "x", type: "*", link: "77" }] }];
  const [node] = parseNative({ nodes }).top.nodes.values();
  expect(node?.inputs[0]?.link).toBe("77");
});

test("nothing that is no workflow breaks the reading", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const json = value as Json;
      parseNative(json);
      parseNative({ nodes: [json], links: [json], groups: [json], subgraphs: [json] });
    }),
  );
});

test("a seed of 64 bits keeps every digit", () => {
  const text = '{"seed":18446744073709551615,"small":12,"text":"18446744073709551615 \\" 1"}';
  const value = parseJson(text) as { readonly seed: bigint };
  expect(value.seed).toBe(2n ** 64n - 1n);
  expect(writeJson(value)).toBe(text);
});

test("JSON is read as it is written", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const once = parseJson(writeJson(value));
      expect(parseJson(writeJson(once))).toEqual(once);
      expect(JSON.parse(writeJson(once))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

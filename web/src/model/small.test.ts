import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evaluate } from "./arithmetic";
import { bypassedInput } from "./bypass";
import { makeNode } from "./document";
import { isEqual } from "./equal";
import { changeWeight, embeddingAt, promptTokens } from "./prompt";
import { nextSeed, SEED_MAX } from "./seeds";
import { accepts, socketLook } from "./sockets";

describe("arithmetic in a number field", () => {
  test.each([
    ["512*1.5", 768],
    ["(1+2)/4", 0.75],
    ["2^10", 1024],
    ["-3 + 5", 2],
    ["1e3", 1000],
    [".5", 0.5],
    ["１２＋３", 15],
    ["7 % 4", 3],
  ])("%s is %d", (text, value) => {
    expect(evaluate(text)).toBe(value);
  });

  test.each(["", "abc", "1/0", "1+", "(2", "alert(1)", "1 2"])("%j is no number", (text) => {
    expect(evaluate(text)).toBeNull();
  });
});

describe("values of plain data", () => {
  test.each([
    [{ a: [1, { b: null }] }, { a: [1, { b: null }] }, true],
    [{ a: 1, b: undefined }, { a: 1 }, false],
    [[1, 2], [1, 2, 3], false],
    [[], {}, false],
    [new Map([["a", [1]]]), new Map([["a", [1]]]), true],
    [new Map([["a", 1]]), new Map([["a", 2]]), false],
    [new Map(), {}, false],
    [null, {}, false],
  ])("%j and %j: the same is %s", (one, other, same) => {
    expect(isEqual(one, other)).toBe(same);
    expect(isEqual(other, one)).toBe(same);
  });
});

describe("a prompt", () => {
  test("is the sum of its tokens", () => {
    const piece = fc.constantFrom(
      "(",
      ")",
      ":1.2",
      "embedding:easy",
      "{a|b}",
      " cat",
      "\\(",
      "e",
      "/",
      "// x\n",
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const prompt = pieces.join("");
        expect(
          promptTokens(prompt)
            .map((token) => token.text)
            .join(""),
        ).toBe(prompt);
      }),
    );
  });

  test("shows weights, embeddings and choices", () => {
    const parts = promptTokens("a (cat:1.2), embedding:easy {x|y}").map((token) => token.part);
    expect(new Set(parts)).toEqual(new Set(["text", "weight", "embedding", "choice"]));
  });

  test("gives the word at the cursor a weight, raises it and takes it away again", () => {
    const once = changeWeight("a red cat", 3, 3, 0.05);
    expect(once.text).toBe("a (red:1.05) cat");
    const twice = changeWeight(once.text, once.start, once.end, 0.05);
    expect(twice.text).toBe("a (red:1.1) cat");
    expect(changeWeight(twice.text, twice.start, twice.end, -0.1).text).toBe("a red cat");
  });

  test("weights what is selected without the blanks around it", () => {
    expect(changeWeight("a red cat here", 1, 9, 0.1).text).toBe("a (red cat:1.1) here");
  });

  test("knows where an embedding's name begins", () => {
    expect(embeddingAt("x embedding:ea", 14)).toEqual({ from: 12, typed: "ea" });
    expect(embeddingAt("x embedding:ea b", 16)).toBeNull();
  });
});

describe("a seed after a run", () => {
  test("counts beyond 2^53 exactly", () => {
    expect(nextSeed(2 ** 53 - 1, "increment", () => 0)).toBe(2n ** 53n);
    expect(nextSeed(SEED_MAX, "increment", () => 0)).toBe(SEED_MAX);
    expect(nextSeed(0, "decrement", () => 0)).toBe(0);
  });

  test("-1 stays -1", () => {
    expect(nextSeed(-1, "randomize", () => 0.5)).toBe(-1);
  });
});

describe("sockets", () => {
  test("fit by name, by set, or if one is anything", () => {
    expect(accepts("IMAGE", "IMAGE")).toBe(true);
    expect(accepts("IMAGE", "LATENT")).toBe(false);
    expect(accepts("INT, FLOAT", "FLOAT")).toBe(true);
    expect(accepts("*", "LATENT")).toBe(true);
  });

  test("of an unknown type always look the same", () => {
    expect(socketLook("MY_TYPE")).toEqual(socketLook("MY_TYPE"));
  });

  test("of a bypassed node pass on the input of the same type", () => {
    const node = makeNode({
      id: "1",
      type: "LoraLoader",
      inputs: [
        { name: "model", type: "MODEL" },
        { name: "clip", type: "CLIP" },
      ],
      outputs: [
        { name: "CLIP", type: "CLIP" },
        { name: "VAE", type: "VAE" },
      ],
    });
    expect(bypassedInput(node, 0, "CLIP")).toBe(1);
    expect(bypassedInput(node, 1, "VAE")).toBeNull();
  });
});

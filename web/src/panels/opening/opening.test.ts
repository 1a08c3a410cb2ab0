import { describe, expect, it } from "vitest";
import { looksLikeWorkflow } from "./opening";

describe("pasted text", () => {
  it("is opened if it is a workflow of any form or a picture's settings", () => {
    expect(looksLikeWorkflow('{"format": "graphengine workflow", "nodes": []}')).toBe(true);
    expect(looksLikeWorkflow('{"3": {"class_type": "KSampler", "inputs": {}}}')).toBe(true);
    const settings = "a cat\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, Seed: 5";
    expect(looksLikeWorkflow(settings)).toBe(true);
  });

  it("is left alone otherwise", () => {
    expect(looksLikeWorkflow("a cat, 1girl, {red|blue}")).toBe(false);
    expect(looksLikeWorkflow('{"name": "x"}')).toBe(false);
  });
});

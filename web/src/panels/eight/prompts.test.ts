import { describe, expect, it } from "vitest";
import { withEmbedding, withoutEmbedding } from "./prompts";

describe("an embedding in a prompt", () => {
  it("is put at the end, and not twice", () => {
    expect(withEmbedding("blurry, noisy, ", "bad-hands")).toBe(
      "blurry, noisy, embedding:bad-hands",
    );
    expect(withEmbedding("", "bad")).toBe("embedding:bad");
    expect(withEmbedding("embedding:bad, x", "bad")).toBe("embedding:bad, x");
    expect(withEmbedding("embedding:bad-hands", "bad")).toBe("embedding:bad-hands, embedding:bad");
  });

  it("is taken out with its weight and its comma", () => {
    expect(withoutEmbedding("blurry, (embedding:bad:1.2), noisy", "bad")).toBe("blurry, noisy");
    expect(withoutEmbedding("embedding:bad, noisy", "bad")).toBe("noisy");
    expect(withoutEmbedding("embedding:bad-hands", "bad")).toBe("embedding:bad-hands");
    expect(withoutEmbedding(withEmbedding("a (b)", "x.y+z"), "x.y+z")).toBe("a (b)");
  });
});

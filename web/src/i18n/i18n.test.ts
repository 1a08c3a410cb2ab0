import { describe, expect, it } from "vitest";
import { texts as en } from "./en";
import { browserLanguage } from "./index";
import { texts as ja } from "./ja";

/** Every text by its whole key. */
function flat(texts: object, prefix = ""): Map<string, string> {
  const all = new Map<string, string>();
  for (const [key, value] of Object.entries(texts)) {
    const path = prefix === "" ? key : `${prefix}.${key}`;
    if (typeof value === "string") all.set(path, value);
    else for (const [inner, text] of flat(value as object, path)) all.set(inner, text);
  }
  return all;
}

const placeholders = (text: string) => [...text.matchAll(/\{\{(\w+)\}\}/g)].map((m) => m[1]).sort();

describe("texts", () => {
  it("have the same keys in both languages", () => {
    expect([...flat(ja).keys()].sort()).toEqual([...flat(en).keys()].sort());
  });

  it("fill the same places in both languages", () => {
    const japanese = flat(ja);
    const different = [...flat(en)].filter(
      ([key, text]) => placeholders(text).join() !== placeholders(japanese.get(key) ?? "").join(),
    );
    expect(different).toEqual([]);
  });

  it("are not left empty, and Japanese ones are not left in English", () => {
    for (const text of [...flat(en).values(), ...flat(ja).values()]) expect(text).not.toBe("");
    const english = flat(en);
    const words = (text: string) => /[a-z]{3,} [a-z]{3,} [a-z]{3,}/.test(text);
    const untranslated = [...flat(ja)].filter(
      ([key, text]) => text === english.get(key) && words(text),
    );
    expect(untranslated).toEqual([]);
  });
});

describe("the language", () => {
  it("is the browser's first that we speak", () => {
    expect(browserLanguage(["fr-FR", "ja-JP", "en-US"])).toBe("ja");
    expect(browserLanguage(["en-GB", "ja"])).toBe("en");
    expect(browserLanguage(["fr"])).toBe("en");
  });
});

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { NodeInfo } from "../protocol/generated";
import { read, sound } from "./readings";
import { findTypes, plain } from "./search";

const NODES = join(import.meta.dirname, "../../../nodes");

/** What nodes are found by in Japanese, out of their files. */
function japanese(): readonly string[] {
  const files = readdirSync(NODES).filter((name) => name.endsWith(".ja.toml"));
  return files.flatMap((name) =>
    readFileSync(join(NODES, name), "utf8")
      .split("\n")
      .filter((line) => /^(title|category|search) = /.test(line)),
  );
}

describe("readings", () => {
  it("are known of all kanji by which nodes are found", () => {
    const lines = japanese();
    expect(lines.length).toBeGreaterThan(200);
    expect(lines.map(read).filter((line) => /[\u4e00-\u9fff々]/.test(line))).toEqual([]);
  });

  it("take the longest word that is known", () => {
    expect(read("画像を読み込む")).toBe("がぞうをよみこむ");
    expect(read("条件付けを出力")).toBe("じょうけんづけをしゅつりょく");
  });

  it("sound the same however they are spelled", () => {
    const said = (...texts: string[]) => new Set(texts.map((text) => sound(plain(text))));
    expect(said("がぞう", "ガゾウ", "gazou", "gazō", "gazo")).toEqual(new Set(["gazo"]));
    expect(said("じょうけん", "jouken", "zyouken", "jōken")).toEqual(new Set(["zyoken"]));
    expect(said("しゃしん", "shashin", "syasin")).toEqual(new Set(["syasin"]));
    expect(said("けっか", "kekka")).toEqual(new Set(["keka"]));
    expect(said("ファイル", "fairu")).toEqual(new Set(["hairu"]));
    expect(said("チェックポイント", "chekkupointo")).toEqual(new Set(["tyekupointo"]));
  });
});

describe("the search", () => {
  const node = (id: string, en: string, ja: string) => {
    const words = { description: "", inputs: {}, outputs: [], category: "", search: [] };
    const texts = { en: { ...words, title: en }, ja: { ...words, title: ja } };
    return { id, inputs: [], outputs: [], texts } as unknown as NodeInfo;
  };
  const types = [
    node("LoadImage", "Load image", "画像を読み込む"),
    node("CLIPTextEncode", "CLIP text encode", "CLIP テキストエンコード"),
    node("VAEDecode", "VAE decode", "VAE デコード"),
  ];
  const found = (words: string) => findTypes(types, words, "ja").map(({ info }) => info.id);

  it("finds kanji by hiragana, katakana and Latin letters, also while they are composed", () => {
    for (const words of ["がぞう", "ガゾウ", "gazou", "gazō", "よみこ", "がぞs"])
      expect([words, found(words)]).toEqual([words, ["LoadImage"]]);
    for (const words of ["えんこーど", "エンコード", "enkoodo"])
      expect([words, found(words)[0]]).toEqual([words, "CLIPTextEncode"]);
  });
});

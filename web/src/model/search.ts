/** Finding node types: names, categories and words in both languages, with letters left out. */

import type { NodeInfo } from "../protocol/generated";
import { read, sound } from "./readings";
import { accepts } from "./sockets";

export interface Found {
  readonly info: NodeInfo;
  readonly score: number;
}

/** What a new node must be able to be linked to. */
export interface Fitting {
  readonly type: string;
  /** Whether the link comes from an output, so that an input is needed. */
  readonly needs: "input" | "output";
}

/** The types that fit the words and the link, best first. */
export function findTypes(
  types: Iterable<NodeInfo>,
  words: string,
  language: "en" | "ja",
  fittings: readonly Fitting[] = [],
): readonly Found[] {
  // Of what an input method still composes, the last letters are no kana yet.
  const wanted = plain(words).replace(/(?<=[ぁ-ゖー])[a-z]+$/, "");
  const found: Found[] = [];
  for (const info of types) {
    const fits = fittings.map((fitting) => fitScore(info, fitting));
    if (fits.includes(null)) continue;
    const fit = fits.reduce<number>((total, one) => total + (one ?? 0), 0);
    const score = wanted === "" ? 0 : wordScore(info, wanted, language);
    if (score === null) continue;
    found.push({ info, score: score + fit + custom(info) });
  }
  const title = (one: Found) => one.info.texts[language].title || one.info.id;
  return found.sort((a, b) => b.score - a.score || title(a).localeCompare(title(b), language));
}

/** What people mean most often when several fit equally well. */
const USUAL: readonly string[] = [
  "KSampler",
  "VAEDecode",
  "CLIPTextEncode",
  "SaveImage",
  "PreviewImage",
  "LoadImage",
  "CheckpointLoaderSimple",
  "EmptyLatentImage",
  "VAEEncode",
  "LoraLoader",
  "VAELoader",
  "CLIPSetLastLayer",
  "ImageScale",
  "LatentUpscale",
  "ControlNetApplyAdvanced",
];

function custom(info: NodeInfo): number {
  const usual = USUAL.includes(info.id) ? 45 - USUAL.indexOf(info.id) * 2 : 0;
  const hidden = info.texts.en.category.startsWith("_") || info.experimental ? 25 : 0;
  return usual - hidden - (info.deprecated ? 300 : 0);
}

/** Letters as they are compared: width, case and kana make no difference. */
export function plain(text: string): string {
  return text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[ァ-ヶ]/g, (kana) => String.fromCharCode(kana.charCodeAt(0) - 0x60))
    .trim();
}

/** How well a text has the words in it; null if it does not. */
export function matchScore(text: string, wanted: string): number | null {
  if (text === wanted) return 1000;
  if (text.startsWith(wanted)) return 800 - Math.min(100, text.length - wanted.length);
  const inside = text.indexOf(wanted);
  if (inside !== -1) return (/[\s_\-/.]/.test(text[inside - 1] ?? "") ? 600 : 450) - inside / 10;
  return lettersScore(text, wanted);
}

/** A match with letters left out: "ksmp" finds "ksampler". */
function lettersScore(text: string, wanted: string): number | null {
  if (wanted.length < 2) return null;
  let at = -1;
  let gaps = 0;
  for (const letter of wanted.replace(/\s/g, "")) {
    const next = text.indexOf(letter, at + 1);
    if (next === -1) return null;
    gaps += at === -1 ? next / 2 : next - at - 1;
    at = next;
  }
  const score = 200 - gaps * 12;
  return score > 0 ? score : null;
}

interface Searched {
  readonly en: readonly string[];
  readonly ja: readonly string[];
  readonly id: string;
  readonly more: readonly string[];
  /** How the Japanese ones sound. */
  readonly sounds: readonly string[];
}

const searched = new WeakMap<NodeInfo, Searched>();

function textsOf(info: NodeInfo): Searched {
  const known = searched.get(info);
  if (known !== undefined) return known;
  const { en, ja } = info.texts;
  const texts: Searched = {
    en: [plain(en.title)],
    ja: [plain(ja.title)],
    id: plain(info.id),
    more: [...en.search, ...ja.search, en.category, ja.category].map(plain).filter(Boolean),
    sounds: [ja.title, ja.category, ...ja.search].map((text) => sound(read(plain(text)))),
  };
  searched.set(info, texts);
  return texts;
}

function wordScore(info: NodeInfo, wanted: string, language: "en" | "ja"): number | null {
  const whole = textScore(info, wanted, language);
  const words = wanted.split(/\s+/);
  if (whole !== null || words.length < 2) return whole;
  let total = 0;
  for (const word of words) {
    const score = textScore(info, word, language);
    if (score === null) return null;
    total += score;
  }
  return total / words.length - 50;
}

function textScore(info: NodeInfo, wanted: string, language: "en" | "ja"): number | null {
  const texts = textsOf(info);
  const other = language === "en" ? texts.ja : texts.en;
  const scores = [
    ...texts[language].map((text) => scoreAt(text, wanted, 50)),
    scoreAt(texts.id, wanted, 20),
    ...other.map((text) => scoreAt(text, wanted, 0)),
    ...texts.more.map((text) => scoreAt(text, wanted, -150)),
    ...texts.sounds.map((text, place) => soundScore(text, wanted, place === 0 ? 0 : -150)),
  ].filter((score) => score !== null);
  return scores.length === 0 ? null : Math.max(...scores);
}

/** Words of Latin letters are English first, so that they count only from three letters on. */
const LEAST_SOUND = 3;

function soundScore(text: string, wanted: string, bonus: number): number | null {
  const latin = /^[a-zāīūēō'-]+$/.test(wanted);
  if (latin ? wanted.length < LEAST_SOUND : !/^[ぁ-ゖー]+$/.test(wanted)) return null;
  const place = text.indexOf(sound(wanted));
  if (place === -1) return null;
  return (place === 0 ? 500 : 400) - place - (latin ? 150 : 0) + bonus;
}

function scoreAt(text: string, wanted: string, bonus: number): number | null {
  const score = text === "" ? null : matchScore(text, wanted);
  return score === null ? null : score + bonus;
}

/** How well a type takes a link: exact types before "anything", required inputs before others. */
function fitScore(info: NodeInfo, { type, needs }: Fitting): number | null {
  const slots =
    needs === "input"
      ? info.inputs.map((input) => ({
          fits: accepts(input.type, type),
          exact: input.type === type,
          first: input.required && input.widget === null,
        }))
      : info.outputs.map((output, place) => ({
          fits: accepts(type, output.type),
          exact: output.type === type,
          first: place === 0,
        }));
  const scores = slots
    .filter((slot) => slot.fits)
    .map((slot) => (slot.exact ? 100 : 0) + (slot.first ? 40 : 0));
  return scores.length === 0 ? null : Math.max(...scores);
}

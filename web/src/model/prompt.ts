/** Prompts as they are written: weights "(a cat:1.2)", "embedding:name", choices "{a|b}". */

export type PromptPart = "text" | "weight" | "embedding" | "choice" | "comment";

export interface PromptToken {
  readonly part: PromptPart;
  readonly text: string;
  /** How deep in brackets. */
  readonly depth: number;
}

const TOKENS =
  /(\\[()\\])|(\/\/[^\n]*|\/\*[\s\S]*?\*\/)|(embedding:[^\s,()]+)|(:\s*-?\d*\.?\d+(?=\s*\)))|([()])|([{}|])|([^\\/(){}|:e]+|[\s\S])/g;

/** The parts of a prompt, for colouring; joined they are the prompt. */
export function promptTokens(prompt: string): readonly PromptToken[] {
  const found: PromptToken[] = [];
  let depth = 0;
  for (const [text, , comment, embedding, weight, bracket, choice] of prompt.matchAll(TOKENS)) {
    if (bracket === "(") depth += 1;
    const part: PromptPart =
      comment !== undefined
        ? "comment"
        : embedding !== undefined
          ? "embedding"
          : weight !== undefined || bracket !== undefined
            ? "weight"
            : choice !== undefined
              ? "choice"
              : "text";
    const last = found.at(-1);
    if (last !== undefined && last.part === part && last.depth === depth && part === "text") {
      found[found.length - 1] = { ...last, text: last.text + text };
    } else found.push({ part, text, depth });
    if (bracket === ")") depth = Math.max(0, depth - 1);
  }
  return found;
}

export interface Edited {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const WEIGHTED = /^\(([\s\S]*):\s*(-?\d*\.?\d+)\s*\)$/;
const WORD = /[^\s,()]/;

/** The prompt with another weight for what is selected, or for the word at the cursor. */
export function changeWeight(text: string, start: number, end: number, by: number): Edited {
  const [from, to] = bracketAround(text, start, end) ?? words(text, start, end);
  const chosen = text.slice(from, to);
  if (chosen.trim() === "") return { text, start, end };
  const weighted = WEIGHTED.exec(chosen);
  const inner = weighted?.[1] ?? chosen;
  const weight = Math.round((Number(weighted?.[2] ?? 1) + by) * 100) / 100;
  const next = weight === 1 ? inner : `(${inner}:${weight})`;
  const edited = text.slice(0, from) + next + text.slice(to);
  const inside = weight === 1 ? from : from + 1;
  return { text: edited, start: inside, end: inside + inner.length };
}

/** The innermost "(…:1.2)" around a selection. */
function bracketAround(text: string, start: number, end: number): readonly [number, number] | null {
  const open: number[] = [];
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === "(") open.push(at);
    else if (text[at] === ")") {
      const from = open.pop();
      const around = from !== undefined && from <= start && at + 1 >= end;
      if (around && WEIGHTED.test(text.slice(from, at + 1))) return [from, at + 1];
    }
  }
  return null;
}

function words(text: string, start: number, end: number): readonly [number, number] {
  let from = start;
  let to = end;
  if (start === end) {
    while (from > 0 && WORD.test(text[from - 1] ?? "")) from -= 1;
    while (to < text.length && WORD.test(text[to] ?? "")) to += 1;
  }
  while (from < to && /\s/.test(text[from] ?? "")) from += 1;
  while (to > from && /\s/.test(text[to - 1] ?? "")) to -= 1;
  return [from, to];
}

/** The beginning of an embedding's name before the cursor, and where it begins; null if none. */
export function embeddingAt(text: string, cursor: number): { from: number; typed: string } | null {
  const found = /embedding:([^\s,()]*)$/.exec(text.slice(0, cursor));
  return found === null ? null : { from: cursor - (found[1]?.length ?? 0), typed: found[1] ?? "" };
}

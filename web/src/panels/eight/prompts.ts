/** Embeddings in prompts: put in, taken out. Pure. */

/** The prompt with an embedding at its end, once. */
export function withEmbedding(prompt: string, name: string): string {
  if (new RegExp(`embedding:${escaped(name)}(?![\\w-])`).test(prompt)) return prompt;
  const before = prompt.trimEnd().replace(/,$/, "");
  return before === "" ? `embedding:${name}` : `${before}, embedding:${name}`;
}

/** The prompt without an embedding, its weight and the comma that parted it from the rest. */
export function withoutEmbedding(prompt: string, name: string): string {
  const call = `embedding:${escaped(name)}(?![\\w-])`;
  const one = `\\(\\s*${call}\\s*(?::\\s*-?[\\d.]+)?\\s*\\)|${call}`;
  return prompt
    .replace(new RegExp(`,\\s*(?:${one})`, "g"), "")
    .replace(new RegExp(`(?:${one})\\s*,?\\s*`, "g"), "");
}

function escaped(name: string): string {
  return name.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}

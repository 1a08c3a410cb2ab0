/** JSON whose large whole numbers keep every digit: seeds go up to 2^64 - 1. */

export type Json =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

export type JsonObject = { readonly [key: string]: Json };

const MARK = "\u0001whole:";
const MANY_DIGITS = /\d{16}/;
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const LARGE = /^-?\d{16,}$/;
const MARKED = /"\\u0001whole:(-?\d+)"/g;

/** The value of a JSON text; whole numbers beyond 2^53 as bigint. Throws SyntaxError. */
export function parseJson(text: string): Json {
  if (!MANY_DIGITS.test(text)) return JSON.parse(text) as Json;
  const marked = text.replace(STRING_OR_NUMBER, (found) =>
    LARGE.test(found) ? `"\\u0001whole:${found}"` : found,
  );
  return JSON.parse(marked, (_key, value: unknown) => {
    if (typeof value !== "string" || !value.startsWith(MARK)) return value;
    const whole = BigInt(value.slice(MARK.length));
    return BigInt(Number(whole)) === whole && Number.isSafeInteger(Number(whole))
      ? Number(whole)
      : whole;
  }) as Json;
}

/** The JSON text of a value; what `parseJson` reads gives the value again. */
export function writeJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(
    value,
    (_key, item: unknown) => (typeof item === "bigint" ? `${MARK}${item}` : item),
    indent,
  );
  return text.replace(MARKED, "$1");
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether two values say the same; objects whatever the order of their keys. */
export function sameJson(one: Json | undefined, other: Json | undefined): boolean {
  if (one === other) return true;
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((item, at) => sameJson(item, other[at]));
  }
  if (!isObject(one) || !isObject(other)) return false;
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => name in other && sameJson(one[name], other[name]))
  );
}

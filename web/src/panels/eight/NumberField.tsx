import { useEffect, useState } from "react";
import type { Json } from "../../model/json";

interface Props {
  readonly id?: string;
  readonly label: string;
  readonly value: Json | undefined;
  readonly whole: boolean;
  readonly min: number | null;
  readonly max: number | null;
  readonly step: number;
  readonly onChange: (value: number | bigint) => void;
}

/** A number that is typed; it counts once it is one and lies within its range. */
export function NumberField({ id, label, value, whole, min, max, step, onChange }: Props) {
  const shown = value === undefined || value === null ? "" : String(value);
  const [text, setText] = useState(shown);
  useEffect(() => setText(shown), [shown]);
  const parsed = parse(text, whole);
  const good = parsed !== null && within(parsed, min, max);
  const change = (typed: string) => {
    setText(typed);
    const number = parse(typed, whole);
    if (number !== null && within(number, min, max)) onChange(number);
  };
  const nudge = (event: React.KeyboardEvent) => {
    const by = event.key === "ArrowUp" ? 1 : event.key === "ArrowDown" ? -1 : 0;
    if (by === 0 || parsed === null || event.nativeEvent.isComposing) return;
    event.preventDefault();
    const next = Number(parsed) + by * step * (event.shiftKey ? 10 : 1);
    change(String(Math.round(Math.min(Math.max(next, min ?? next), max ?? next) * 1e6) / 1e6));
  };
  return (
    <input
      id={id}
      className="field number"
      inputMode={whole ? "numeric" : "decimal"}
      aria-label={label}
      aria-invalid={!good}
      value={text}
      onChange={(event) => change(event.target.value)}
      onKeyDown={nudge}
      onBlur={() => setText(shown)}
    />
  );
}

function parse(text: string, whole: boolean): number | bigint | null {
  const trimmed = text.normalize("NFKC").trim();
  if (whole && /^-?\d+$/.test(trimmed)) {
    const number = Number(trimmed);
    return Number.isSafeInteger(number) ? number : BigInt(trimmed);
  }
  const number = Number(trimmed);
  return whole || trimmed === "" || !Number.isFinite(number) ? null : number;
}

function within(value: number | bigint, min: number | null, max: number | null): boolean {
  return (min === null || value >= min) && (max === null || value <= max);
}

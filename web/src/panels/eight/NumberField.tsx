import { useEffect, useState } from "react";
import { useTranslation } from "../../i18n";
import { evaluate } from "../../model/arithmetic";
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
  /** Where there may be no number. */
  readonly onEmpty?: (() => void) | undefined;
}

/**
 * A number that is typed. It counts at once if it is one within its range; a calculation, and what
 * lies outside, is settled by Enter or by leaving the field.
 */
export function NumberField(props: Props) {
  const { id, label, value, whole, min, max, step, onChange, onEmpty } = props;
  const { t } = useTranslation();
  const shown = value === undefined || value === null ? "" : String(value);
  const [text, setText] = useState(shown);
  useEffect(() => setText(shown), [shown]);
  const parsed = parse(text, whole);
  const empty = onEmpty !== undefined && text.trim() === "";
  const good = empty || (parsed !== null && within(parsed, min, max));
  const change = (typed: string) => {
    setText(typed);
    const number = parse(typed, whole);
    if (number !== null && within(number, min, max)) onChange(number);
  };
  const settle = () => {
    const found = parsed ?? evaluate(text);
    setText(shown);
    if (empty && shown !== "") onEmpty();
    if (good || found === null) return;
    const number = clamped(found, min, max);
    onChange(whole && typeof number === "number" ? Math.round(number) : number);
  };
  const nudge = (event: React.KeyboardEvent) => {
    if (event.key === "Enter" && !event.nativeEvent.isComposing) settle();
    const by = event.key === "ArrowUp" ? 1 : event.key === "ArrowDown" ? -1 : 0;
    if (by === 0 || parsed === null || event.nativeEvent.isComposing) return;
    event.preventDefault();
    const next = Number(parsed) + by * step * (event.shiftKey ? 10 : 1);
    change(String(Math.round(Number(clamped(next, min, max)) * 1e6) / 1e6));
  };
  return (
    <input
      id={id}
      className="field number"
      inputMode={whole ? "numeric" : "decimal"}
      aria-label={label}
      aria-invalid={!good}
      placeholder={onEmpty && t("canvas.notGiven")}
      value={text}
      onChange={(event) => change(event.target.value)}
      onKeyDown={nudge}
      onBlur={settle}
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

function clamped(value: number | bigint, min: number | null, max: number | null): number | bigint {
  if (min !== null && value < min) return min;
  return max !== null && value > max ? max : value;
}

function within(value: number | bigint, min: number | null, max: number | null): boolean {
  return (min === null || value >= min) && (max === null || value <= max);
}

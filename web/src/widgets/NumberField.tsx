/** A number: typed, also as arithmetic, dragged sideways, or slid; its range is shown. */

import { type KeyboardEvent, type PointerEvent, useRef, useState } from "react";
import { useTranslation } from "../i18n";
import { evaluate } from "../model/arithmetic";
import type { Json } from "../model/json";
import type { WidgetInfo } from "../model/shape";
import type { FieldProps } from "./Widget";

type NumberWidget = Extract<WidgetInfo, { kind: "int" | "float" | "seed" }>;

/** Pixels of a drag that are one step. */
const DRAG_STEP = 6;
const DRAG_BEGINS = 4;

export function NumberField({ label, widget, value, empty, set }: FieldProps<NumberWidget>) {
  const { t } = useTranslation();
  const [draft, setDraft] = useState<string | null>(null);
  const drag = useRef<{ x: number; from: number; moved: boolean } | null>(null);
  const given = typeof value === "number" || typeof value === "bigint";
  const number = given ? Number(value) : 0;
  const mayBeEmpty = empty !== "never";
  const commit = (text: string) => {
    setDraft(null);
    const next = evaluate(text);
    if (mayBeEmpty && text.trim() === "") {
      set(empty === "null" ? null : undefined, { once: true });
    } else if (next !== null) set(fitted(next, widget), { once: true });
  };
  const step = (by: number) => set(fitted(number + by * widget.step, widget));
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter") {
      commit(event.currentTarget.value);
      if (event.ctrlKey || event.metaKey) return; // the command that runs the workflow
    } else if (event.key === "Escape" && draft !== null) setDraft(null);
    else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      event.preventDefault();
      setDraft(null);
      step((event.key === "ArrowUp" ? 1 : -1) * (event.shiftKey ? 10 : 1));
    } else return;
    event.stopPropagation();
  };
  const onPointerDown = (event: PointerEvent<HTMLInputElement>) => {
    if (event.button !== 0 || document.activeElement === event.currentTarget) return;
    drag.current = { x: event.clientX, from: number, moved: false };
    event.currentTarget.setPointerCapture(event.pointerId);
    event.preventDefault();
  };
  const onPointerMove = (event: PointerEvent<HTMLInputElement>) => {
    const from = drag.current;
    if (from === null) return;
    const far = event.clientX - from.x;
    if (!from.moved && Math.abs(far) < DRAG_BEGINS) return;
    from.moved = true;
    set(fitted(from.from + Math.round(far / DRAG_STEP) * widget.step, widget));
  };
  const onPointerUp = (event: PointerEvent<HTMLInputElement>) => {
    const from = drag.current;
    drag.current = null;
    if (from !== null && !from.moved) {
      event.currentTarget.focus();
      event.currentTarget.select();
    }
  };
  const ranged = widget.min !== null && widget.max !== null && widget.max - widget.min < 2 ** 31;
  const emptied = mayBeEmpty && draft?.trim() === "";
  const invalid = draft !== null && !emptied && evaluate(draft) === null;
  const below = widget.min !== null && number < widget.min;
  const above = widget.max !== null && number > widget.max;
  const outside = (given || !mayBeEmpty) && (below || above);
  return (
    <span className="number-field nodrag">
      {widget.slider && ranged && (
        <input
          type="range"
          aria-label={label}
          min={widget.min ?? 0}
          max={widget.max ?? 100}
          step={widget.step}
          value={number}
          onChange={(event) => set(fitted(Number(event.target.value), widget))}
        />
      )}
      <button
        type="button"
        tabIndex={-1}
        aria-label={t("canvas.less", { label })}
        onClick={() => step(-1)}
      >
        −
      </button>
      <input
        className="number-text"
        type="text"
        inputMode="decimal"
        role="spinbutton"
        data-resting={draft === null || undefined}
        aria-label={label}
        aria-valuenow={given ? number : undefined}
        aria-valuemin={widget.min ?? undefined}
        aria-valuemax={widget.max ?? undefined}
        aria-invalid={invalid || outside}
        title={rangeText(widget)}
        placeholder={mayBeEmpty ? t("canvas.notGiven") : undefined}
        value={draft ?? shownNumber(value, widget)}
        onChange={(event) => setDraft(event.target.value)}
        onBlur={(event) => draft !== null && commit(event.target.value)}
        onKeyDown={onKeyDown}
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerUp}
      />
      <button
        type="button"
        tabIndex={-1}
        aria-label={t("canvas.more", { label })}
        onClick={() => step(1)}
      >
        +
      </button>
    </span>
  );
}

/** The nearest value that the widget takes. */
export function fitted(value: number, widget: NumberWidget): number {
  const grid = widget.kind === "float" ? widget.round : 1;
  const onGrid = grid ? Math.round(value / grid) * grid : value;
  const clean = Number(onGrid.toPrecision(12));
  return Math.min(widget.max ?? clean, Math.max(widget.min ?? clean, clean));
}

function shownNumber(value: Json | undefined, widget: NumberWidget): string {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "number") return value == null ? "" : String(value);
  return widget.kind === "float" && Number.isInteger(value) ? value.toFixed(1) : String(value);
}

export function rangeText(widget: NumberWidget): string {
  const { min, max } = widget;
  if (min !== null && max !== null) return `${min} … ${max}`;
  return min !== null ? `≥ ${min}` : max !== null ? `≤ ${max}` : "";
}

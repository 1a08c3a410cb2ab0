/** A colour: chosen, or typed as "#rrggbb". */

import type { Json } from "../model/json";
import type { FieldProps } from "./Widget";

const COLOR = /^#[0-9a-f]{6}$/i;

export function isColor(value: Json | undefined): boolean {
  return typeof value === "string" && COLOR.test(value);
}

export function ColorField({ label, value, set }: FieldProps) {
  const text = typeof value === "string" ? value : "";
  return (
    <span className="color-field nodrag">
      <input
        type="color"
        aria-label={label}
        value={COLOR.test(text) ? text : "#000000"}
        onChange={(event) => set(event.target.value)}
      />
      <input
        className="field"
        type="text"
        aria-label={label}
        value={text}
        onChange={(event) => set(event.target.value)}
      />
    </span>
  );
}

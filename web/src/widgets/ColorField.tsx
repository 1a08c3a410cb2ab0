/** A colour: chosen, or typed as "#rrggbb"; or as the number 0xrrggbb, which nodes take too. */

import type { Json } from "../model/json";
import type { WidgetInfo } from "../model/shape";
import { NumberField } from "./NumberField";
import type { FieldProps } from "./Widget";

type NumberWidget = Extract<WidgetInfo, { kind: "int" | "float" | "seed" }>;

const COLOR = /^#[0-9a-f]{6}$/i;
const WHITE = 0xffffff;

export function isColor(value: Json | undefined): boolean {
  return typeof value === "string" && COLOR.test(value);
}

/** Whether a whole number is a colour: it goes from black to white. */
export function isColorNumber(widget: NumberWidget): boolean {
  return widget.min === 0 && widget.max === WHITE;
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

export function ColorNumberField(props: FieldProps<NumberWidget>) {
  const { label, value, set } = props;
  const number = typeof value === "number" ? Math.min(WHITE, Math.max(0, Math.round(value))) : 0;
  return (
    <span className="color-field nodrag">
      <input
        type="color"
        aria-label={label}
        value={`#${number.toString(16).padStart(6, "0")}`}
        onChange={(event) => set(Number.parseInt(event.target.value.slice(1), 16))}
      />
      <NumberField {...props} />
    </span>
  );
}

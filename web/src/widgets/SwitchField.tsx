/** A switch with the names of its two positions. */

import { useTranslation } from "../i18n";
import type { WidgetInfo } from "../model/shape";
import type { FieldProps } from "./Widget";

type SwitchWidget = Extract<WidgetInfo, { kind: "switch" }>;

export function SwitchField({ label, widget, value, set }: FieldProps<SwitchWidget>) {
  const { t } = useTranslation();
  const on = value === true;
  const word = on ? widget.on || t("canvas.on") : widget.off || t("canvas.off");
  return (
    <label className="switch-field nodrag">
      <span>{word}</span>
      <input
        type="checkbox"
        role="switch"
        aria-label={label}
        aria-checked={on}
        checked={on}
        onChange={(event) => set(event.target.checked, { once: true })}
      />
    </label>
  );
}

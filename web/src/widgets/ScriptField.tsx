/** A field that a plugin's script draws; if that throws, the error is shown above a plain field. */

import { type ReactNode, useEffect, useRef, useState } from "react";
import { useTranslation } from "../i18n";
import { type DrawnField, noteFault, type ScriptWidget } from "../state/plugins";
import type { FieldProps } from "./Widget";

interface Props extends FieldProps {
  readonly drawn: ScriptWidget;
  /** The editor's own field. */
  readonly plain: ReactNode;
}

export function ScriptField({ drawn, plain, ...field }: Props) {
  const { t } = useTranslation();
  const { element, fault } = useDrawn(drawn, field);
  if (fault === null) {
    return <fieldset ref={element} className="script-field nodrag" aria-label={field.label} />;
  }
  return (
    <>
      <span className="widget-broken" title={fault}>
        {t("canvas.widgetBroken", { message: fault })}
      </span>
      {plain}
    </>
  );
}

/** Draws once, and tells the script of each new value after it. */
function useDrawn({ script, draw }: ScriptWidget, { value, label, set }: FieldProps) {
  const element = useRef<HTMLFieldSetElement>(null);
  const field = useRef<DrawnField>({});
  const latest = useRef({ value, set });
  latest.current = { value, set };
  const [fault, setFault] = useState<string | null>(null);
  useEffect(() => {
    const inside = element.current;
    if (inside === null) return;
    const guarded = (doing: () => void) => {
      try {
        doing();
      } catch (error) {
        noteFault(script, error);
        setFault(error instanceof Error ? error.message : String(error));
      }
    };
    guarded(() => {
      const given = { value: latest.current.value, label, set: changed(latest) };
      const { update, remove } = draw(inside, given) ?? {};
      field.current = {
        update: (now) => guarded(() => update?.(now)),
        remove: () => guarded(() => remove?.()),
      };
    });
    return () => {
      field.current.remove?.();
      field.current = {};
      inside.replaceChildren();
    };
  }, [script, draw, label]);
  useEffect(() => field.current.update?.(value), [value]);
  return { element, fault };
}

/** Sets by the way of the latest drawing, so that a script may keep it. */
function changed(latest: { readonly current: Pick<FieldProps, "set"> }): FieldProps["set"] {
  return (value) => latest.current.set(value);
}

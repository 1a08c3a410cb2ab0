/** A value of which we know no kind: as JSON, so that it can be seen and changed. */

import { useState } from "react";
import { parseJson, writeJson } from "../model/json";
import type { FieldProps } from "./Widget";

export function JsonField({ label, value, set }: FieldProps) {
  const [draft, setDraft] = useState<string | null>(null);
  const [wrong, setWrong] = useState(false);
  const commit = (text: string) => {
    if (draft === null) return;
    try {
      set(parseJson(text), { once: true });
      setWrong(false);
      setDraft(null);
    } catch {
      setWrong(true);
    }
  };
  return (
    <input
      className="field nodrag mono"
      type="text"
      aria-label={label}
      aria-invalid={wrong}
      data-resting={draft === null || undefined}
      value={draft ?? writeJson(value ?? null)}
      onChange={(event) => setDraft(event.target.value)}
      onBlur={(event) => commit(event.target.value)}
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing) return;
        if (event.key === "Enter") commit(event.currentTarget.value);
        if (event.key === "Escape") setDraft(null);
      }}
    />
  );
}

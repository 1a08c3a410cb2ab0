/** A seed, and what happens to it after a run; -1 draws one for each run. */

import { useState } from "react";
import { useTranslation } from "../i18n";
import { evaluate } from "../model/arithmetic";
import { graphOf } from "../model/document";
import { CONTROLS, DRAW_SEED, LARGEST_DRAWN, plain } from "../model/seeds";
import type { WidgetInfo } from "../model/shape";
import { Icon } from "../panels/Icon";
import { activeTab, useWorkspace } from "../state/workspace";
import { Choice } from "./ChoiceField";
import type { FieldProps } from "./Widget";

type SeedWidget = Extract<WidgetInfo, { kind: "int" | "float" | "seed" }>;

export function SeedField({ graph, node, name, label, value, set }: FieldProps<SeedWidget>) {
  const { t } = useTranslation();
  const [draft, setDraft] = useState<string | null>(null);
  const apply = useWorkspace((state) => state.apply);
  const afterRun = useWorkspace((state) => {
    const tab = activeTab(state);
    return tab && graphOf(tab.workflow, graph).nodes.get(node)?.afterRun;
  });
  const control = value === DRAW_SEED ? "fixed" : (afterRun?.[name] ?? "fixed");
  const commit = (text: string) => {
    setDraft(null);
    const digits = text.normalize("NFKC").trim();
    const whole = /^-?\d+$/.test(digits) ? plain(BigInt(digits)) : evaluate(digits);
    if (whole === null) return;
    set(typeof whole === "number" ? Math.max(DRAW_SEED, Math.round(whole)) : whole, { once: true });
  };
  const choose = (mode: string) =>
    apply({
      kind: "edit-node",
      graph,
      node,
      fields: { afterRun: { ...afterRun, [name]: mode } },
    });
  return (
    <span className="seed-field nodrag">
      <input
        className="field"
        type="text"
        inputMode="numeric"
        data-resting={draft === null || undefined}
        aria-label={label}
        title={value === DRAW_SEED ? t("canvas.seedDrawn") : undefined}
        value={draft ?? String(value ?? "")}
        onChange={(event) => setDraft(event.target.value)}
        onBlur={(event) => draft !== null && commit(event.target.value)}
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing) return;
          if (event.key === "Enter") commit(event.currentTarget.value);
          if (event.key === "Escape") setDraft(null);
        }}
      />
      <button
        type="button"
        className="seed-dice"
        aria-label={t("canvas.seedNew")}
        title={t("canvas.seedNew")}
        onClick={() => set(Math.floor(Math.random() * LARGEST_DRAWN), { once: true })}
      >
        <Icon name="dice" />
      </button>
      <Choice
        label={t("canvas.seedAfter")}
        title={t("canvas.seedAfter")}
        choices={[...new Set([...CONTROLS, control])]}
        value={control}
        name={(mode) => t(`canvas.seed.${mode}`, { defaultValue: String(mode) })}
        choose={(mode) => choose(String(mode))}
      />
    </span>
  );
}

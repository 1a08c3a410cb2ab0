import { useTranslation } from "../../i18n";
import { graphOf } from "../../model/document";
import type { Json, JsonObject } from "../../model/json";
import { CONTROLS, DRAW_SEED, LARGEST_DRAWN } from "../../model/seeds";
import { useServer } from "../../state/server";
import { activeTab, useWorkspace } from "../../state/workspace";
import { Icon } from "../Icon";
import type { Found, Setting } from "./find";
import { NumberField } from "./NumberField";
import { SettingRow } from "./SettingRow";
import { changeSetting, useSetting } from "./useEight";
import { pathOf } from "./walk";

/** The seed: typed, drawn anew, or -1; what happens to it after a run; what the last run drew. */
export function SeedRow({ found }: { readonly found: Found }) {
  const { t } = useTranslation();
  const seed = useSetting(found.seed);
  const { seed: setting } = found;
  if (setting === null) {
    return (
      <SettingRow name="seed">
        <p className="hint">{t("eight.noSeed")}</p>
      </SettingRow>
    );
  }
  return (
    <SettingRow name="seed" setting={setting}>
      <div className="setting-line">
        <NumberField
          label={t("eight.seed.name")}
          value={seed}
          whole
          min={DRAW_SEED}
          max={null}
          step={1}
          onChange={(value) => changeSetting(setting, value)}
        />
        <button
          type="button"
          className="button icon"
          aria-label={t("eight.seed.draw")}
          title={t("eight.seed.draw")}
          onClick={() => changeSetting(setting, Math.floor(Math.random() * LARGEST_DRAWN))}
        >
          <Icon name="dice" />
        </button>
        <button
          type="button"
          className="button"
          aria-pressed={seed === DRAW_SEED}
          title={t("eight.seed.everyTime")}
          onClick={() => changeSetting(setting, DRAW_SEED)}
        >
          −1
        </button>
      </div>
      {seed === DRAW_SEED ? null : <AfterRun setting={setting} />}
      <Drawn setting={setting} seed={seed} />
    </SettingRow>
  );
}

function AfterRun({ setting }: { readonly setting: Setting }) {
  const { t } = useTranslation();
  const field = setting.field;
  const name = typeof field?.name === "string" ? field.name : null;
  const node = useWorkspace((state) => {
    const workflow = activeTab(state)?.workflow;
    return field && workflow
      ? graphOf(workflow, field.at.graph).nodes.get(field.at.node)
      : undefined;
  });
  if (field === null || name === null || node === undefined) return null;
  const change = (control: string) => {
    const afterRun = { ...node.afterRun, [name]: control };
    const { graph } = field.at;
    useWorkspace
      .getState()
      .apply({ kind: "edit-node", graph, node: node.id, fields: { afterRun } });
  };
  return (
    <label className="setting-line">
      <span>{t("eight.seed.after")}</span>
      <select
        className="field"
        value={node.afterRun[name] ?? "fixed"}
        onChange={(event) => change(event.target.value)}
      >
        {CONTROLS.map((control) => (
          <option key={control} value={control}>
            {t(`eight.seed.modes.${control}`)}
          </option>
        ))}
      </select>
    </label>
  );
}

/** The seed that the last run drew, and a way to keep it. */
function Drawn({ setting, seed }: { readonly setting: Setting; readonly seed: Json | undefined }) {
  const { t } = useTranslation();
  const tab = useWorkspace((state) => state.active);
  const drawn = useServer((state) => {
    const job = state.jobs.get(state.shown.get(tab) ?? "");
    if (job?.state !== "done") return undefined;
    const node = job.prompt[pathOf(setting.at)] as { inputs?: JsonObject } | undefined;
    return node?.inputs?.[setting.input];
  });
  const isSeed = typeof drawn === "number" || typeof drawn === "bigint";
  if (!isSeed || drawn === DRAW_SEED || drawn === seed) return null;
  return (
    <p className="hint drawn-seed">
      {t("eight.seed.drawn", { seed: String(drawn) })}
      <button type="button" className="button quiet" onClick={() => changeSetting(setting, drawn)}>
        {t("eight.seed.keep")}
      </button>
    </p>
  );
}

import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useServer } from "../../state/server";
import { Icon } from "../Icon";
import { usePanels } from "../open";
import { PinChoices, Pins } from "./Pins";
import { SettingsForm } from "./SettingsForm";
import { type Eight, useEight } from "./useEight";
import { nodeAt, pathOf } from "./walk";

/** The settings panel at the right: the eight settings of any workflow, and what was pinned. */
export function SidePanel() {
  const { t } = useTranslation();
  const open = usePanels((state) => state.side);
  const toggle = usePanels((state) => state.toggleSide);
  if (!open) {
    return (
      <button
        type="button"
        className="side-tab"
        aria-label={t("eight.title")}
        title={t("eight.title")}
        aria-expanded={false}
        onClick={toggle}
      >
        <Icon name="settings" />
      </button>
    );
  }
  return (
    <aside className="side-panel" aria-label={t("eight.title")}>
      <header className="panel-head">
        <h2>{t("eight.title")}</h2>
        <button
          type="button"
          className="button quiet icon"
          aria-label={t("panels.close")}
          onClick={toggle}
        >
          <Icon name="close" />
        </button>
      </header>
      <Settings />
    </aside>
  );
}

function Settings() {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState<string | null>(null);
  const eight = useEight(chosen);
  return (
    <div className="side-scroll">
      <SamplerChoice eight={eight} choose={setChosen} />
      {eight.found === null ? (
        <p className="panel-empty">{t("eight.noSampler")}</p>
      ) : (
        <SettingsForm eight={eight} found={eight.found} />
      )}
      <Pins />
      <PinChoices />
    </div>
  );
}

interface ChoiceProps {
  readonly eight: Eight;
  readonly choose: (path: string) => void;
}

/** Which sampler's settings are shown, where there are several. */
export function SamplerChoice({ eight, choose }: ChoiceProps) {
  const { t, i18n } = useTranslation();
  const nodes = useServer((state) => state.nodes);
  if (eight.samplers.length < 2 || eight.found === null) return null;
  const language = i18n.language === "ja" ? "ja" : "en";
  return (
    <label className="sampler-choice">
      <span>{t("eight.sampler")}</span>
      <select
        className="field"
        value={pathOf(eight.found.sampler)}
        onChange={(event) => choose(event.target.value)}
      >
        {eight.samplers.map((place) => {
          const node = nodeAt(eight.workflow, place);
          const title =
            node?.title ?? nodes.get(node?.type ?? "")?.texts[language].title ?? node?.type;
          return (
            <option key={pathOf(place)} value={pathOf(place)}>
              {title} #{pathOf(place)}
            </option>
          );
        })}
      </select>
    </label>
  );
}

import { memo, useState } from "react";
import { useTranslation } from "../../i18n";
import { EMPTY_WORKFLOW } from "../../model/document";
import { useLanguage } from "../../nodes/texts";
import { useKept } from "../../state/kept";
import { useServer } from "../../state/server";
import { activeTab, useWorkspace } from "../../state/workspace";
import { Icon } from "../Icon";
import { usePanels } from "../open";
import { PinChoices, Pins } from "./Pins";
import { SettingsForm } from "./SettingsForm";
import { type Eight, useEight } from "./useEight";
import { nodeAt, type Place, pathOf } from "./walk";

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
        <SettingsForm found={eight.found} />
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
export function SamplerChoice({ eight: { samplers, found }, choose }: ChoiceProps) {
  return samplers.length < 2 || found === null ? null : (
    <Samplers samplers={samplers} chosen={pathOf(found.sampler)} choose={choose} />
  );
}

interface SamplersProps {
  readonly samplers: readonly Place[];
  readonly chosen: string;
  readonly choose: (path: string) => void;
}

const Samplers = memo(function Samplers({ samplers, chosen, choose }: SamplersProps) {
  const { t } = useTranslation();
  const language = useLanguage();
  const nodes = useServer((state) => state.nodes);
  const kept = useKept<readonly (string | undefined)[]>();
  const titles = useWorkspace((state) => {
    const workflow = activeTab(state)?.workflow ?? EMPTY_WORKFLOW;
    return kept(
      samplers.map((place) => {
        const node = nodeAt(workflow, place);
        return node?.title ?? nodes.get(node?.type ?? "")?.texts[language].title ?? node?.type;
      }),
    );
  });
  return (
    <label className="sampler-choice">
      <span>{t("eight.sampler")}</span>
      <select className="field" value={chosen} onChange={(event) => choose(event.target.value)}>
        {samplers.map((place, at) => (
          <option key={pathOf(place)} value={pathOf(place)}>
            {titles[at]} #{pathOf(place)}
          </option>
        ))}
      </select>
    </label>
  );
});

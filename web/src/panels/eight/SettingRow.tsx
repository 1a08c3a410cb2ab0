import { type ReactNode, useId, useState } from "react";
import { useTranslation } from "../../i18n";
import { Icon } from "../Icon";
import { intoView } from "../intoView";
import { goToInput } from "../problems/goTo";
import type { Setting } from "./find";
import { Illustration, type IllustrationName } from "./Illustration";
import { pathOf } from "./walk";

interface Props {
  readonly name: IllustrationName;
  readonly setting?: Setting | null;
  readonly beside?: ReactNode;
  readonly children: ReactNode;
}

/** One setting: its name, its control, and on demand what it does, with a small picture. */
export function SettingRow({ name, setting = null, beside, children }: Props) {
  const { t } = useTranslation();
  const [explained, setExplained] = useState(false);
  const id = useId();
  const label = t(`eight.${name}.name`);
  return (
    <section className="setting" aria-labelledby={`${id}-name`}>
      <header className="setting-head">
        <h3 id={`${id}-name`}>{label}</h3>
        {setting === null ? null : (
          <button
            type="button"
            className="button quiet icon small"
            aria-label={t("eight.goTo", { name: label })}
            title={t("eight.goTo", { name: label })}
            onClick={() => goToInput(pathOf(setting.at), setting.input)}
          >
            <Icon name="open" />
          </button>
        )}
        <button
          type="button"
          className="button quiet icon small"
          aria-label={t("eight.explain", { name: label })}
          aria-expanded={explained}
          aria-controls={`${id}-about`}
          onClick={() => setExplained(!explained)}
        >
          <Icon name="help" />
        </button>
        <span className="setting-beside">{beside}</span>
      </header>
      {explained ? (
        <div className="explanation" id={`${id}-about`} ref={intoView}>
          <Illustration name={name} />
          <p>{t(`eight.${name}.about`)}</p>
        </div>
      ) : null}
      {setting !== null && setting.field === null ? (
        <p className="hint">{t("eight.computed")}</p>
      ) : (
        children
      )}
    </section>
  );
}

import { shortcutText } from "../../commands/keys";
import { useTranslation } from "../../i18n";
import { useRun } from "../../state/server";
import { Icon } from "../Icon";
import { usePreferences } from "../preferences/preferences";

/** On the first visit, one line about how to begin; it goes with the first run. */
export function FirstHint() {
  const { t } = useTranslation();
  const { greeted, set } = usePreferences();
  const run = useRun();
  if (greeted || run !== undefined) return null;
  return (
    <aside className="first-hint floating" aria-label={t("panels.hint")}>
      <p>
        {t("panels.firstHint", { run: shortcutText("Mod+Enter"), palette: shortcutText("Mod+K") })}
      </p>
      <button
        type="button"
        className="button quiet icon"
        aria-label={t("panels.dismiss")}
        onClick={() => set({ greeted: true })}
      >
        <Icon name="close" />
      </button>
    </aside>
  );
}

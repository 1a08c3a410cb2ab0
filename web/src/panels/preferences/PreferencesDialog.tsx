import { Tabs } from "radix-ui";
import { useEffect, useState } from "react";
import { toggle, useView } from "../../canvas/view";
import { allCommands } from "../../commands/all";
import type { Command } from "../../commands/command";
import { keysOf, shortcutOf, shortcutText, useKeymap } from "../../commands/keys";
import { chooseLanguage, chosenLanguage, type Language, useTranslation } from "../../i18n";
import { type Theme, useTheme } from "../../theme/theme";
import { Icon } from "../Icon";
import { PanelDialog } from "../PanelDialog";
import { usePreferences } from "./preferences";

export default function PreferencesDialog({
  page = "general",
}: {
  readonly page?: "general" | "keys";
}) {
  const { t } = useTranslation();
  return (
    <PanelDialog title={t("preferences.title")} className="wide">
      <Tabs.Root defaultValue={page}>
        <Tabs.List className="dialog-tabs" aria-label={t("preferences.title")}>
          <Tabs.Trigger className="button quiet" value="general">
            {t("preferences.general")}
          </Tabs.Trigger>
          <Tabs.Trigger className="button quiet" value="keys">
            {t("preferences.keys")}
          </Tabs.Trigger>
        </Tabs.List>
        <Tabs.Content value="general">
          <General />
        </Tabs.Content>
        <Tabs.Content value="keys">
          <Keys />
        </Tabs.Content>
      </Tabs.Root>
    </PanelDialog>
  );
}

function General() {
  const { t } = useTranslation();
  const [language, setLanguage] = useState<Language | "">(chosenLanguage() ?? "");
  const { theme, setTheme } = useTheme();
  const { motion, set } = usePreferences();
  const snap = useView((view) => view.snap);
  const change = (wanted: Language | "") => {
    setLanguage(wanted);
    void chooseLanguage(wanted === "" ? null : wanted);
  };
  return (
    <div className="preference-list">
      <Choice
        label={t("preferences.language")}
        value={language}
        onChange={(value) => change(value as Language | "")}
      >
        <option value="">{t("preferences.languageOfBrowser")}</option>
        <option value="en" lang="en">
          English
        </option>
        <option value="ja" lang="ja">
          日本語
        </option>
      </Choice>
      <Choice
        label={t("preferences.theme")}
        value={theme}
        onChange={(value) => setTheme(value as Theme)}
      >
        <option value="system">{t("preferences.themeSystem")}</option>
        <option value="dark">{t("preferences.themeDark")}</option>
        <option value="light">{t("preferences.themeLight")}</option>
      </Choice>
      <Choice
        label={t("preferences.motion")}
        value={motion}
        onChange={(value) => set({ motion: value === "reduced" ? "reduced" : "system" })}
      >
        <option value="system">{t("preferences.motionSystem")}</option>
        <option value="reduced">{t("preferences.motionReduced")}</option>
      </Choice>
      <label className="preference">
        <span>{t("preferences.snap")}</span>
        <input type="checkbox" checked={snap} onChange={() => toggle("snap")} />
      </label>
    </div>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly children: React.ReactNode;
}

function Choice({ label, value, onChange, children }: ChoiceProps) {
  return (
    <label className="preference">
      <span>{label}</span>
      <select className="field" value={value} onChange={(event) => onChange(event.target.value)}>
        {children}
      </select>
    </label>
  );
}

/** Every command with its shortcut; a click on the shortcut takes the next keys that are pressed. */
function Keys() {
  const { t } = useTranslation();
  const { chosen, reset } = useKeymap();
  const [wanted, setWanted] = useState("");
  const found = allCommands.filter((command) =>
    t(command.label).toLowerCase().includes(wanted.toLowerCase()),
  );
  return (
    <>
      <div className="keys-head">
        <input
          type="search"
          className="field"
          aria-label={t("preferences.searchCommand")}
          placeholder={t("preferences.searchCommand")}
          value={wanted}
          onChange={(event) => setWanted(event.target.value)}
        />
        <button
          type="button"
          className="button"
          disabled={Object.keys(chosen).length === 0}
          onClick={() => reset()}
        >
          {t("preferences.resetAll")}
        </button>
      </div>
      <ul className="key-list">
        {found.map((command) => (
          <KeyRow key={command.id} command={command} />
        ))}
      </ul>
    </>
  );
}

function KeyRow({ command }: { readonly command: Command }) {
  const { t } = useTranslation();
  const { chosen, rebind, reset } = useKeymap();
  const [listening, setListening] = useState(false);
  const [taken, setTaken] = useState<string | null>(null);
  const called = keysOf(command, chosen);
  const keys = called.length === 0 ? t("preferences.noKey") : called.map(shortcutText).join(", ");
  const shown = listening ? t("preferences.press") : keys;
  useEffect(() => {
    if (!listening) return;
    const take = (event: KeyboardEvent) => {
      if (["Shift", "Control", "Alt", "Meta"].includes(event.key) || event.isComposing) return;
      event.preventDefault();
      event.stopPropagation();
      setListening(false);
      if (event.key === "Escape") return;
      const pressed =
        event.key === "Backspace" || event.key === "Delete" ? null : shortcutOf(event);
      const other = allCommands.find(
        (one) => one.id !== command.id && pressed !== null && keysOf(one, chosen).includes(pressed),
      );
      setTaken(other === undefined ? null : other.label);
      if (other === undefined) rebind(command.id, pressed === null ? [] : [pressed]);
    };
    window.addEventListener("keydown", take, { capture: true });
    return () => window.removeEventListener("keydown", take, { capture: true });
  }, [listening, command.id, chosen, rebind]);
  return (
    <li className="key-row">
      <span>
        {t(command.label)}
        {taken === null ? null : (
          <span className="bad-text" role="alert">
            {t("preferences.taken", { command: t(taken) })}
          </span>
        )}
      </span>
      <button
        type="button"
        className="button"
        aria-label={`${shown} · ${t("preferences.rebind", { command: t(command.label) })}`}
        aria-pressed={listening}
        onClick={() => setListening(!listening)}
        onBlur={() => setListening(false)}
      >
        {shown}
      </button>
      <button
        type="button"
        className="button quiet icon"
        aria-label={t("preferences.reset", { command: t(command.label) })}
        disabled={chosen[command.id] === undefined}
        onClick={() => reset(command.id)}
      >
        <Icon name="retry" />
      </button>
    </li>
  );
}

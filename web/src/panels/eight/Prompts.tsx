import { useTranslation } from "../../i18n";
import type { Found, Prompt } from "./find";
import { changeSetting, useSetting } from "./useEight";
import { pathOf } from "./walk";

/** What the picture should show, and what it should not. */
export function Prompts({ found }: { readonly found: Found }) {
  const { t } = useTranslation();
  return (
    <div className="prompts">
      {found.positive.map((prompt) => (
        <PromptField key={keyOf(prompt)} prompt={prompt} label={t("eight.positive.name")} />
      ))}
      {found.negative.map((prompt) => (
        <PromptField key={keyOf(prompt)} prompt={prompt} label={t("eight.negative.name")} />
      ))}
    </div>
  );
}

function PromptField({ prompt, label }: { readonly prompt: Prompt; readonly label: string }) {
  const value = useSetting(prompt);
  return (
    <label className="prompt-field">
      <span>{label}</span>
      <textarea
        className="field"
        rows={3}
        disabled={prompt.field === null}
        value={typeof value === "string" ? value : ""}
        onChange={(event) => changeSetting(prompt, event.target.value)}
      />
    </label>
  );
}

function keyOf(prompt: Prompt): string {
  return `${pathOf(prompt.at)}.${prompt.input}`;
}

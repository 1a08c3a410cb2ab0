import { useMemo, useState } from "react";
import { useTranslation } from "../../i18n";
import { useServer } from "../../state/server";
import { activeTab } from "../../state/workspace";
import { embeddingsIn } from "../gallery/pictures";
import { readField } from "./fields";
import type { Found, Prompt } from "./find";
import { withEmbedding, withoutEmbedding } from "./prompts";
import { useRestingDocument } from "./resting";
import { SettingRow } from "./SettingRow";
import { Choice } from "./SettingsForm";
import { changeSetting } from "./useEight";

/** The embeddings that the prompts use, and a picker that puts another one into a prompt. */
export function EmbeddingRow({ found }: { readonly found: Found }) {
  const { t } = useTranslation();
  const installed = useServer((state) => state.embeddings);
  const workflow = useRestingDocument();
  const [chosen, setChosen] = useState("");
  const used = useMemo(() => embeddingsIn(workflow, found), [workflow, found]);
  const put = (prompt: Prompt | undefined) => {
    if (prompt === undefined || chosen === "") return;
    changeSetting(prompt, withEmbedding(textOf(prompt), chosen));
    setChosen("");
  };
  const take = (name: string) => {
    for (const prompt of [...found.positive, ...found.negative]) {
      const before = textOf(prompt);
      const after = withoutEmbedding(before, name);
      if (after !== before) changeSetting(prompt, after);
    }
  };
  const [positive] = found.positive;
  const [negative] = found.negative;
  return (
    <SettingRow name="embedding">
      {used.length === 0 ? null : (
        <ul className="chips" aria-label={t("eight.embedding.used")}>
          {used.map((name) => (
            <li key={name} className="chip">
              {name}
              <button
                type="button"
                aria-label={t("eight.embedding.remove", { name })}
                onClick={() => take(name)}
              >
                ×
              </button>
            </li>
          ))}
        </ul>
      )}
      {installed.length === 0 ? (
        <p className="hint">{t("eight.embedding.none")}</p>
      ) : (
        <>
          <Choice
            label={t("eight.embedding.choose")}
            value={chosen}
            options={installed}
            first={t("eight.embedding.choose")}
            onChange={setChosen}
          />
          <div className="setting-line even">
            <button
              type="button"
              className="button"
              disabled={chosen === "" || !positive?.field}
              onClick={() => put(positive)}
            >
              {t("eight.embedding.positive")}
            </button>
            <button
              type="button"
              className="button"
              disabled={chosen === "" || !negative?.field}
              onClick={() => put(negative)}
            >
              {t("eight.embedding.negative")}
            </button>
          </div>
        </>
      )}
    </SettingRow>
  );
}

function textOf(prompt: Prompt): string {
  const workflow = activeTab()?.workflow;
  const value = workflow && prompt.field ? readField(workflow, prompt.field) : "";
  return typeof value === "string" ? value : "";
}

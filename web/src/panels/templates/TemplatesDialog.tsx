import { useEffect, useState } from "react";
import { getTemplate, listTemplates } from "../../api/routes";
import { useTranslation } from "../../i18n";
import type { Template } from "../../protocol/generated";
import { attempt } from "../notices/notices";
import { usePanels } from "../open";
import { showOpened } from "../opening/opening";
import { PanelDialog } from "../PanelDialog";

/** The workflows that come along, each with a picture that it makes. */
export default function TemplatesDialog() {
  const { t, language } = useTranslation();
  const close = usePanels((state) => state.close);
  const [templates, setTemplates] = useState<readonly Template[] | null>(null);
  const [wanted, setWanted] = useState("");
  useEffect(() => {
    void attempt(listTemplates()).then((found) => setTemplates(found ?? []));
  }, []);
  const open = async (template: Template) => {
    const opened = await attempt(getTemplate(template.name, language));
    if (opened === undefined) return;
    close();
    showOpened(opened, template.title[language]);
  };
  const text = (one: Template) =>
    `${one.name} ${one.title.en} ${one.title.ja} ${one.description[language]}`;
  const found = templates?.filter((one) => text(one).toLowerCase().includes(wanted.toLowerCase()));
  return (
    <PanelDialog title={t("templates.title")} className="wide">
      <input
        type="search"
        className="field"
        aria-label={t("templates.search")}
        placeholder={t("templates.search")}
        value={wanted}
        onChange={(event) => setWanted(event.target.value)}
      />
      {found === undefined ? (
        <p className="panel-empty">{t("panels.loading")}</p>
      ) : found.length === 0 ? (
        <p className="panel-empty">{t("templates.nothing")}</p>
      ) : (
        <ul className="cards">
          {found.map((template) => (
            <li key={template.name}>
              <button type="button" className="card" onClick={() => open(template)}>
                {template.thumbnail === null ? (
                  <span className="card-picture empty" aria-hidden="true" />
                ) : (
                  <img className="card-picture" src={template.thumbnail} alt="" loading="lazy" />
                )}
                <span className="card-title">{template.title[language]}</span>
                <span className="hint">{template.description[language]}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </PanelDialog>
  );
}

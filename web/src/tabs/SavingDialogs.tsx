/** What saving and closing ask: a name, what to do about a conflict, which version to take. */

import { Dialog } from "radix-ui";
import { type ReactNode, useEffect, useState } from "react";
import * as routes from "../api/routes";
import { useTranslation } from "../i18n";
import { attempt } from "../panels/notices/notices";
import { showOpened } from "../panels/opening/opening";
import { useReturnFocus } from "../panels/useReturnFocus";
import type { WorkflowVersion } from "../protocol/generated";
import {
  closeNow,
  type Question,
  resolveConflict,
  restoreVersion,
  save,
  saveAs,
  useSaving,
} from "../state/saving";
import { type Tab, useWorkspace } from "../state/workspace";

export function SavingDialogs() {
  const question = useSaving((state) => state.question);
  const id = question !== null && "tab" in question ? question.tab : null;
  const tab = useWorkspace((state) => state.tabs.find((one) => one.id === id));
  if (question?.kind === "versions") return <Versions name={question.name} />;
  if (question === null || tab === undefined) return null;
  switch (question.kind) {
    case "name":
      return <AskName question={question} tab={tab} />;
    case "conflict":
      return <AskConflict question={question} />;
    case "close":
      return <AskClose tab={tab} />;
  }
}

interface FrameProps {
  readonly title: string;
  readonly text?: string;
  readonly children: ReactNode;
}

function Frame({ title, text, children }: FrameProps) {
  const ask = useSaving((state) => state.ask);
  const returnFocus = useReturnFocus();
  return (
    <Dialog.Root open onOpenChange={(open) => open || ask(null)}>
      <Dialog.Portal>
        <Dialog.Overlay className="veil" />
        <Dialog.Content className="dialog" onCloseAutoFocus={returnFocus}>
          <Dialog.Title asChild>
            <h2>{title}</h2>
          </Dialog.Title>
          <Dialog.Description className={text === undefined ? "visually-hidden" : undefined}>
            {text ?? title}
          </Dialog.Description>
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function AskName({
  question,
  tab,
}: {
  readonly question: Extract<Question, { kind: "name" }>;
  readonly tab: Tab;
}) {
  const { t } = useTranslation();
  const [name, setName] = useState(tab.name);
  const clean = name.trim().replace(/\.json$/i, "");
  const same = tab.savedAs?.name === clean;
  return (
    <Frame title={t("tabs.saveTitle")}>
      <form
        className="dialog-form"
        onSubmit={(event) => {
          event.preventDefault();
          const etag = same ? tab.savedAs?.etag : null;
          if (clean !== "") void attempt(saveAs(tab.id, clean, etag, question.then));
        }}
      >
        <label>
          {t("tabs.name")}
          <input className="field" value={name} onChange={(event) => setName(event.target.value)} />
        </label>
        <p className="hint">{t("tabs.folders")}</p>
        <div className="dialog-actions">
          <Dialog.Close className="button">{t("tabs.cancel")}</Dialog.Close>
          <button type="submit" className="button primary" disabled={clean === ""}>
            {t("tabs.save")}
          </button>
        </div>
      </form>
    </Frame>
  );
}

function AskConflict({ question }: { readonly question: Extract<Question, { kind: "conflict" }> }) {
  const { t } = useTranslation();
  const answer = (how: "mine" | "theirs" | "both") => () =>
    void attempt(resolveConflict(question, how));
  return (
    <Frame title={t("tabs.conflictTitle")} text={t("tabs.conflictText", { name: question.name })}>
      <div className="dialog-actions">
        <button type="button" className="button" onClick={answer("theirs")}>
          {t("tabs.takeTheirs")}
        </button>
        <button type="button" className="button" onClick={answer("mine")}>
          {t("tabs.keepMine")}
        </button>
        {/* biome-ignore lint/a11y/noAutofocus: Enter must take what loses nothing. */}
        <button autoFocus type="button" className="button primary" onClick={answer("both")}>
          {t("tabs.keepBoth")}
        </button>
      </div>
    </Frame>
  );
}

function AskClose({ tab }: { readonly tab: Tab }) {
  const { t } = useTranslation();
  const ask = useSaving((state) => state.ask);
  return (
    <Frame title={t("tabs.closeTitle", { name: tab.name })} text={t("tabs.closeText")}>
      <div className="dialog-actions">
        <Dialog.Close className="button">{t("tabs.cancel")}</Dialog.Close>
        <button
          type="button"
          className="button danger"
          onClick={() => {
            ask(null);
            closeNow(tab.id);
          }}
        >
          {t("tabs.discard")}
        </button>
        <button
          type="button"
          className="button primary"
          onClick={() => void attempt(save(tab.id, "close"))}
        >
          {t("tabs.save")}
        </button>
      </div>
    </Frame>
  );
}

/** The versions of a saved workflow: opened beside it or, where it is open, taken back into it. */
function Versions({ name }: { readonly name: string }) {
  const { t, language } = useTranslation();
  const [versions, setVersions] = useState<readonly WorkflowVersion[] | null>(null);
  const isOpen = useWorkspace((state) => state.tabs.some((tab) => tab.savedAs?.name === name));
  const ask = useSaving((state) => state.ask);
  useEffect(() => {
    void attempt(routes.listVersions(name)).then((found) => found && setVersions(found));
  }, [name]);
  const open = async (number: number) => {
    showOpened(await routes.getVersion(name, number), `${name} (${number})`);
    ask(null);
  };
  return (
    <Frame title={t("tabs.versionsTitle", { name })} text={t("tabs.versionsText")}>
      <ul className="versions">
        {versions?.map(({ number, modified }) => (
          <li key={number}>
            <span>{new Date(modified * 1000).toLocaleString(language)}</span>
            <button type="button" className="button" onClick={() => void attempt(open(number))}>
              {t("tabs.openVersion")}
            </button>
            {isOpen && (
              <button
                type="button"
                className="button"
                onClick={() => void attempt(restoreVersion(name, number))}
              >
                {t("tabs.restore")}
              </button>
            )}
          </li>
        ))}
      </ul>
      {versions?.length === 0 && <p className="hint">{t("tabs.noVersions")}</p>}
      <div className="dialog-actions">
        <Dialog.Close className="button">{t("tabs.close")}</Dialog.Close>
      </div>
    </Frame>
  );
}

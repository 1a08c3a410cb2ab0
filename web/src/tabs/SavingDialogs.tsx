/** What saving and closing ask: a name, what to do about a conflict, which version to take. */

import { Dialog } from "radix-ui";
import { type ReactNode, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import * as routes from "../api/routes";
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
import { attempt } from "./commands";

export function SavingDialogs() {
  const question = useSaving((state) => state.question);
  const tab = useWorkspace((state) => state.tabs.find((one) => one.id === question?.tab));
  if (question === null || tab === undefined) return null;
  switch (question.kind) {
    case "name":
      return <AskName question={question} tab={tab} />;
    case "conflict":
      return <AskConflict question={question} />;
    case "close":
      return <AskClose tab={tab} />;
    case "versions":
      return <Versions tab={tab} />;
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
          if (clean !== "") void attempt(() => saveAs(tab.id, clean, etag, question.then));
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
    void attempt(() => resolveConflict(question, how));
  return (
    <Frame title={t("tabs.conflictTitle")} text={t("tabs.conflictText", { name: question.name })}>
      <div className="dialog-actions">
        <button type="button" className="button" onClick={answer("theirs")}>
          {t("tabs.takeTheirs")}
        </button>
        <button type="button" className="button" onClick={answer("mine")}>
          {t("tabs.keepMine")}
        </button>
        <button type="button" className="button primary" onClick={answer("both")}>
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
          onClick={() => void attempt(() => save(tab.id, "close"))}
        >
          {t("tabs.save")}
        </button>
      </div>
    </Frame>
  );
}

function Versions({ tab }: { readonly tab: Tab }) {
  const { t, i18n } = useTranslation();
  const [versions, setVersions] = useState<readonly WorkflowVersion[] | null>(null);
  const name = tab.savedAs?.name ?? "";
  useEffect(() => {
    void attempt(async () => setVersions(await routes.listVersions(name)));
  }, [name]);
  return (
    <Frame title={t("tabs.versionsTitle", { name })} text={t("tabs.versionsText")}>
      <ul className="versions">
        {versions?.map((version) => (
          <li key={version.number}>
            <span>{new Date(version.modified * 1000).toLocaleString(i18n.language)}</span>
            <button
              type="button"
              className="button"
              onClick={() => void attempt(() => restoreVersion(tab.id, name, version.number))}
            >
              {t("tabs.restore")}
            </button>
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

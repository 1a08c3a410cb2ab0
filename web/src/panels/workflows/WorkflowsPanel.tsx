import { useCallback, useEffect, useState } from "react";
import * as routes from "../../api/routes";
import { useTranslation } from "../../i18n";
import type { SavedWorkflow } from "../../protocol/generated";
import { deleteSaved, renameSaved, useSaving } from "../../state/saving";
import { useServer } from "../../state/server";
import { activeTab, useWorkspace } from "../../state/workspace";
import { Icon } from "../Icon";
import { attempt } from "../notices/notices";
import { chooseFiles, openUrl, showOpened } from "../opening/opening";
import { Action } from "../queue/QueuePanel";
import { Rows } from "../Rows";

const ROW_PX = 46;

/** The workflows that were saved: open, rename, delete, earlier versions; and files from elsewhere. */
export default function WorkflowsPanel() {
  const { t } = useTranslation();
  const [saved, setSaved] = useState<readonly SavedWorkflow[]>([]);
  const [wanted, setWanted] = useState("");
  const connection = useServer((state) => state.connection);
  const savedAs = useWorkspace((state) => activeTab(state)?.savedAs);
  const refresh = useCallback(async () => {
    const found = await attempt(routes.listWorkflows());
    if (found !== undefined) setSaved(found);
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked anew when the server is back or a tab was saved
  useEffect(() => {
    if (connection === "open") void refresh();
  }, [connection, refresh, savedAs]);
  const found = saved.filter((one) => one.name.toLowerCase().includes(wanted.toLowerCase()));
  return (
    <>
      <header className="panel-head">
        <h2>{t("workflows.title")}</h2>
        <button type="button" className="button" onClick={chooseFiles}>
          <Icon name="open" />
          {t("workflows.openFile")}
        </button>
      </header>
      <label className="search-field">
        <Icon name="search" />
        <span className="visually-hidden">{t("workflows.search")}</span>
        <input
          type="search"
          className="field"
          placeholder={t("workflows.search")}
          value={wanted}
          onChange={(event) => setWanted(event.target.value)}
        />
      </label>
      {found.length === 0 ? (
        <p className="panel-empty">
          {t(saved.length === 0 ? "workflows.empty" : "workflows.nothingFound")}
        </p>
      ) : (
        <Rows items={found} rowPx={ROW_PX} label={t("workflows.title")} keyOf={(one) => one.name}>
          {(one) => <SavedRow saved={one} refresh={refresh} />}
        </Rows>
      )}
      <OpenAddress />
    </>
  );
}

interface SavedProps {
  readonly saved: SavedWorkflow;
  readonly refresh: () => Promise<void>;
}

function SavedRow({ saved, refresh }: SavedProps) {
  const { t, language } = useTranslation();
  const [renaming, setRenaming] = useState(false);
  const [deleting, setDeleting] = useState(false);
  const remove = async () => {
    await attempt(deleteSaved(saved.name));
    await refresh();
  };
  if (renaming) {
    const rename = async (to: string) => {
      setRenaming(false);
      if (to === "" || to === saved.name) return;
      await attempt(renameSaved(saved.name, to));
      await refresh();
    };
    return <NameField name={saved.name} done={rename} cancel={() => setRenaming(false)} />;
  }
  if (deleting) {
    return (
      <div
        className="saved-row asking"
        role="alertdialog"
        aria-label={t("workflows.delete")}
        onKeyDown={(event) => event.key === "Escape" && setDeleting(false)}
      >
        <span>{t("workflows.deleteAsk", { name: saved.name })}</span>
        <button type="button" className="button danger" onClick={remove}>
          {t("workflows.delete")}
        </button>
        <button
          type="button"
          className="button"
          // biome-ignore lint/a11y/noAutofocus: the question stands where the focus was.
          autoFocus
          onClick={() => setDeleting(false)}
        >
          {t("panels.cancel")}
        </button>
      </div>
    );
  }
  return (
    <div className="saved-row">
      <button type="button" className="saved-name" onClick={() => openSaved(saved.name)}>
        {saved.name}
        <span className="hint">{new Date(saved.modified * 1000).toLocaleString(language)}</span>
      </button>
      <span className="job-actions">
        <Action
          icon="history"
          label={t("workflows.versions")}
          onClick={() => useSaving.getState().ask({ kind: "versions", name: saved.name })}
        />
        <Action icon="edit" label={t("workflows.rename")} onClick={() => setRenaming(true)} />
        <Action icon="trash" label={t("workflows.delete")} onClick={() => setDeleting(true)} />
      </span>
    </div>
  );
}

interface NameProps {
  readonly name: string;
  readonly done: (name: string) => Promise<void>;
  readonly cancel: () => void;
}

function NameField({ name, done, cancel }: NameProps) {
  const { t } = useTranslation();
  const [text, setText] = useState(name);
  return (
    <form
      className="saved-row"
      onSubmit={(event) => {
        event.preventDefault();
        void done(text.trim());
      }}
    >
      <input
        className="field"
        // biome-ignore lint/a11y/noAutofocus: the person has just asked to type here
        autoFocus
        aria-label={t("workflows.newName")}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => event.key === "Escape" && cancel()}
      />
      <button type="submit" className="button primary">
        {t("workflows.rename")}
      </button>
    </form>
  );
}

function OpenAddress() {
  const { t } = useTranslation();
  const [address, setAddress] = useState("");
  return (
    <form
      className="open-address"
      onSubmit={(event) => {
        event.preventDefault();
        if (address.trim() !== "") void openUrl(address.trim()).then(() => setAddress(""));
      }}
    >
      <input
        className="field"
        aria-label={t("workflows.address")}
        placeholder={t("workflows.address")}
        value={address}
        onChange={(event) => setAddress(event.target.value)}
      />
      <button type="submit" className="button">
        {t("workflows.open")}
      </button>
    </form>
  );
}

/** Open a saved workflow; a tab that has it already is shown instead. */
export async function openSaved(name: string): Promise<void> {
  const workspace = useWorkspace.getState();
  const there = workspace.tabs.find((tab) => tab.savedAs?.name === name);
  if (there !== undefined) return workspace.activate(there.id);
  const found = await attempt(routes.getWorkflow(name));
  if (found !== undefined) {
    showOpened(found.data, name, { savedAs: { name, etag: found.etag ?? "" } });
  }
}

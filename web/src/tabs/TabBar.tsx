/** The open workflows: names, unsaved marks, and what can be done with them. */

import { type KeyboardEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { closeTab, renameTab } from "../state/saving";
import { isUnsaved, type Tab, useWorkspace } from "../state/workspace";
import { attempt, newTab } from "./commands";

export function TabBar() {
  const { t } = useTranslation();
  const tabs = useWorkspace((state) => state.tabs);
  const active = useWorkspace((state) => state.active);
  return (
    <div className="tab-bar">
      <div className="tab-list" role="tablist" aria-label={t("tabs.title")}>
        {tabs.map((tab) => (
          <TabItem key={tab.id} tab={tab} active={tab.id === active} />
        ))}
      </div>
      <button
        type="button"
        className="button quiet icon"
        aria-label={t("tabs.new")}
        title={t("tabs.new")}
        onClick={newTab}
      >
        +
      </button>
    </div>
  );
}

function TabItem({ tab, active }: { readonly tab: Tab; readonly active: boolean }) {
  const { t } = useTranslation();
  const [naming, setNaming] = useState(false);
  const { activate } = useWorkspace.getState();
  const unsaved = isUnsaved(tab);
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const { tabs } = useWorkspace.getState();
    const at = tabs.findIndex((one) => one.id === tab.id);
    const next = tabs[(at + step + tabs.length) % tabs.length];
    if (step !== 0 && next !== undefined) {
      activate(next.id);
      document.getElementById(`tab-${next.id}`)?.focus();
    } else if (event.key === "F2") setNaming(true);
    else if (event.key === "Delete") closeTab(tab.id);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  if (naming) {
    const done = (name: string) => {
      setNaming(false);
      if (name.trim() !== "") void attempt(() => renameTab(tab.id, name.trim()));
    };
    return (
      <input
        // biome-ignore lint/a11y/noAutofocus: somebody asked to write the name.
        autoFocus
        className="field tab-name"
        aria-label={t("tabs.name")}
        defaultValue={tab.name}
        onFocus={(event) => event.target.select()}
        onBlur={(event) => done(event.target.value)}
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing) return;
          if (event.key === "Enter") done(event.currentTarget.value);
          if (event.key === "Escape") setNaming(false);
        }}
      />
    );
  }
  return (
    <div className="tab" data-active={active || undefined} role="presentation">
      <button
        id={`tab-${tab.id}`}
        type="button"
        role="tab"
        aria-selected={active}
        tabIndex={active ? 0 : -1}
        title={unsaved ? t("tabs.unsavedTitle", { name: tab.name }) : tab.name}
        onClick={() => activate(tab.id)}
        onDoubleClick={() => setNaming(true)}
        onKeyDown={onKeyDown}
        onAuxClick={(event) => event.button === 1 && closeTab(tab.id)}
      >
        <span className="tab-text">{tab.name}</span>
        {unsaved && (
          <span className="tab-unsaved" role="img" aria-label={t("tabs.unsaved")}>
            ●
          </span>
        )}
      </button>
      {/* For pointers: a list of tabs may hold nothing but tabs. By keyboard, Delete closes one. */}
      <button
        type="button"
        className="tab-close"
        tabIndex={-1}
        aria-hidden="true"
        title={t("tabs.closeNamed", { name: tab.name })}
        onClick={() => closeTab(tab.id)}
      >
        ×
      </button>
    </div>
  );
}

/** The open workflows: names, unsaved marks, and what can be done with them. */

import { type KeyboardEvent, memo, useState } from "react";
import { flushSync } from "react-dom";
import { useShallow } from "zustand/react/shallow";
import { useTranslation } from "../i18n";
import { attempt } from "../panels/notices/notices";
import { closeTab, renameTab } from "../state/saving";
import { isUnsaved, type TabId, useWorkspace } from "../state/workspace";
import { newTab } from "./commands";

export function TabBar() {
  const { t } = useTranslation();
  const tabs = useWorkspace(useShallow((state) => state.tabs.map((tab) => tab.id)));
  const active = useWorkspace((state) => state.active);
  return (
    <div className="tab-bar">
      <div className="tab-list" role="tablist" aria-label={t("tabs.title")}>
        {tabs.map((id) => (
          <TabItem key={id} id={id} active={id === active} />
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

interface TabItemProps {
  readonly id: TabId;
  readonly active: boolean;
}

const TabItem = memo(function TabItem({ id, active }: TabItemProps) {
  const { t } = useTranslation();
  const [naming, setNaming] = useState(false);
  const { activate } = useWorkspace.getState();
  const { name, unsaved } = useWorkspace(
    useShallow((state) => {
      const one = state.tabs.find((each) => each.id === id);
      return { name: one?.name ?? "", unsaved: one !== undefined && isUnsaved(one) };
    }),
  );
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const { tabs } = useWorkspace.getState();
    const at = tabs.findIndex((one) => one.id === id);
    const next = tabs[(at + step + tabs.length) % tabs.length];
    if (step !== 0 && next !== undefined) {
      activate(next.id);
      document.getElementById(`tab-${next.id}`)?.focus();
    } else if (event.key === "F2") setNaming(true);
    else if (event.key === "Delete") closeTab(id);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  if (naming) {
    const leave = () => {
      const byKeys = document.activeElement?.classList.contains("tab-name");
      flushSync(() => setNaming(false));
      if (byKeys) document.getElementById(`tab-${id}`)?.focus();
    };
    const done = (written: string) => {
      leave();
      if (written.trim() !== "") void attempt(renameTab(id, written.trim()));
    };
    return (
      <input
        // biome-ignore lint/a11y/noAutofocus: somebody asked to write the name.
        autoFocus
        className="field tab-name"
        aria-label={t("tabs.name")}
        defaultValue={name}
        onFocus={(event) => event.target.select()}
        onBlur={(event) => done(event.target.value)}
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing) return;
          if (event.key === "Enter") done(event.currentTarget.value);
          if (event.key === "Escape") leave();
        }}
      />
    );
  }
  return (
    <div className="tab" data-active={active || undefined} role="presentation">
      <button
        id={`tab-${id}`}
        type="button"
        role="tab"
        aria-selected={active}
        tabIndex={active ? 0 : -1}
        title={unsaved ? t("tabs.unsavedTitle", { name }) : name}
        onClick={() => activate(id)}
        onDoubleClick={() => setNaming(true)}
        onKeyDown={onKeyDown}
        onAuxClick={(event) => event.button === 1 && closeTab(id)}
      >
        <span className="tab-text">{name}</span>
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
        title={t("tabs.closeNamed", { name })}
        onClick={() => closeTab(id)}
      >
        ×
      </button>
    </div>
  );
});

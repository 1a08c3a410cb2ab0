/** Commands of files and tabs. */

import i18next from "i18next";
import type { Command } from "../commands/command";
import { EMPTY_WORKFLOW } from "../model/document";
import { writeJson } from "../model/json";
import { toNative } from "../model/native";
import { attempt } from "../panels/notices/notices";
import { closeTab, save, useSaving } from "../state/saving";
import { activeTab, useWorkspace } from "../state/workspace";

export function newTab(): void {
  useWorkspace.getState().open(EMPTY_WORKFLOW, i18next.t("tabs.untitled"));
}

function step(by: number): void {
  const { tabs, active, activate } = useWorkspace.getState();
  const at = tabs.findIndex((tab) => tab.id === active);
  const next = tabs[(at + by + tabs.length) % tabs.length];
  if (next !== undefined) activate(next.id);
}

function download(): void {
  const tab = activeTab();
  if (tab === undefined) return;
  const file = new Blob([writeJson(toNative(tab.workflow), 2)], { type: "application/json" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = `${tab.name.replaceAll("/", "-")}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const open = () => activeTab() !== undefined;

export const tabCommands: readonly Command[] = [
  { id: "file.new", label: "tabs.command.new", category: "file", shortcut: "Alt+N", run: newTab },
  {
    id: "file.save",
    label: "tabs.command.save",
    category: "file",
    shortcut: "Mod+S",
    whileTyping: true,
    enabled: open,
    run: () => attempt(save(useWorkspace.getState().active)),
  },
  {
    id: "file.saveAs",
    label: "tabs.command.saveAs",
    category: "file",
    shortcut: "Mod+Shift+S",
    whileTyping: true,
    enabled: open,
    run: () => useSaving.getState().ask({ kind: "name", tab: useWorkspace.getState().active }),
  },
  {
    id: "file.download",
    label: "tabs.command.download",
    category: "file",
    enabled: open,
    run: download,
  },
  {
    id: "file.versions",
    label: "tabs.command.versions",
    category: "file",
    enabled: () => activeTab()?.savedAs != null,
    run: () => {
      const name = activeTab()?.savedAs?.name;
      if (name !== undefined) useSaving.getState().ask({ kind: "versions", name });
    },
  },
  {
    id: "file.close",
    label: "tabs.command.close",
    category: "file",
    shortcut: "Alt+W",
    enabled: open,
    run: () => closeTab(useWorkspace.getState().active),
  },
  {
    id: "file.nextTab",
    label: "tabs.command.next",
    category: "file",
    shortcut: "Alt+PageDown",
    run: () => step(1),
  },
  {
    id: "file.previousTab",
    label: "tabs.command.previous",
    category: "file",
    shortcut: "Alt+PageUp",
    run: () => step(-1),
  },
];

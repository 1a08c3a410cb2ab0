/** What the panels let a person do, for menu, palette, shortcuts and help. */

import type { Command } from "../commands/command";
import { shapeAt } from "../nodes/shapes";
import type { JobAnswer } from "../protocol/generated";
import { checkActive, type RunOptions, runActive } from "../state/run";
import { useServer } from "../state/server";
import { activeGraph, activeTab, useWorkspace } from "../state/workspace";
import { attempt } from "./notices/notices";
import { type LeftPanel, usePanels } from "./open";
import { chooseFiles } from "./opening/opening";
import { clear, setPaused, stopActive } from "./queue/actions";

const panels = usePanels.getState;

/** Queue the active workflow; if problems keep it from running, they are shown and it is null. */
export async function run(options: RunOptions = {}): Promise<JobAnswer | null | undefined> {
  const job = await attempt(runActive(options));
  if (job === null) panels().showLeft("problems");
  return job;
}

const panelCommand = (panel: LeftPanel, shortcut: string): Command => ({
  id: `panels.${panel}`,
  label: `commands.${panel}`,
  category: "view",
  shortcut,
  run: () => panels().toggleLeft(panel),
});

export const panelCommands: readonly Command[] = [
  {
    id: "run.queue",
    label: "commands.run",
    category: "run",
    shortcut: "Mod+Enter",
    whileTyping: true,
    enabled: () => activeTab() !== undefined,
    run: () => void run(),
  },
  {
    id: "run.front",
    label: "commands.runFront",
    category: "run",
    shortcut: "Mod+Shift+Enter",
    whileTyping: true,
    enabled: () => activeTab() !== undefined,
    run: () => void run({ front: true }),
  },
  {
    id: "run.cancel",
    label: "commands.cancel",
    category: "run",
    shortcut: "Mod+Alt+Enter",
    whileTyping: true,
    run: () => stopActive(),
  },
  {
    id: "run.check",
    label: "commands.check",
    category: "run",
    run: async () => {
      await attempt(checkActive());
      panels().showLeft("problems");
    },
  },
  {
    id: "run.pause",
    label: "commands.pause",
    category: "run",
    run: () => setPaused(!useServer.getState().queue.paused),
  },
  {
    id: "run.clear",
    label: "commands.clear",
    category: "run",
    enabled: () => useServer.getState().queue.queued.length > 0,
    run: clear,
  },
  {
    id: "file.openFile",
    label: "commands.openFile",
    category: "file",
    shortcut: "Mod+O",
    whileTyping: true,
    run: chooseFiles,
  },
  {
    id: "file.openAddress",
    label: "commands.openAddress",
    category: "file",
    run: () => panels().show({ kind: "address", address: "" }),
  },
  {
    id: "file.templates",
    label: "commands.templates",
    category: "file",
    run: () => panels().show({ kind: "templates" }),
  },
  panelCommand("workflows", "W"),
  panelCommand("queue", "Q"),
  panelCommand("gallery", "G"),
  panelCommand("problems", "P"),
  panelCommand("plugins", "N"),
  {
    id: "panels.settings",
    label: "commands.settings",
    category: "view",
    shortcut: "A",
    run: () => panels().toggleSide(),
  },
  {
    id: "help.palette",
    label: "commands.palette",
    category: "help",
    shortcut: ["Mod+K", "F1"],
    whileTyping: true,
    run: () => panels().show({ kind: "palette" }),
  },
  {
    id: "help.node",
    label: "commands.nodeHelp",
    category: "help",
    shortcut: "H",
    enabled: () => selectedType() !== undefined,
    run: () => {
      const type = selectedType();
      if (type !== undefined) panels().show({ kind: "help", type });
    },
  },
  {
    id: "help.preferences",
    label: "commands.preferences",
    category: "help",
    shortcut: "Mod+,",
    run: () => panels().show({ kind: "preferences" }),
  },
  {
    id: "help.keys",
    label: "commands.keys",
    category: "help",
    shortcut: "?",
    run: () => panels().show({ kind: "preferences", page: "keys" }),
  },
];

/** The type of the node that is selected, if it is one alone. */
function selectedType(): string | undefined {
  const tab = activeTab(useWorkspace.getState());
  const [id, more] = tab?.selection ?? [];
  if (tab === undefined || id === undefined || more !== undefined) return undefined;
  const kind = shapeAt(useWorkspace.getState(), id)?.kind;
  return kind === "node" || kind === "unknown" ? activeGraph().nodes.get(id)?.type : undefined;
}

/** The canvas's commands. */

import i18next from "i18next";
import type { Command } from "../commands/command";
import type { Alignment } from "../model/edits";
import { activeTab, useWorkspace } from "../state/workspace";
import * as actions from "./actions";
import { pasteFromMenu } from "./clipboard";
import { camera, show, toggle } from "./view";

const state = () => useWorkspace.getState();
const selected = () => actions.selectedNodes().length > 0;
const several = () => actions.selectedNodes().length > 1;

const ALIGNMENTS: readonly Alignment[] = [
  "left",
  "center",
  "right",
  "top",
  "middle",
  "bottom",
  "columns",
  "rows",
];

/** The search for a node, in the middle of the view; what it adds goes beside the selected node. */
export function openSearch(): void {
  const selected = actions.selectedNodes().at(-1)?.id;
  show({
    search: { at: actions.placeBeside(selected), screen: actions.searchPlace(), yields: true },
  });
}

export const canvasCommands: readonly Command[] = [
  {
    id: "edit.undo",
    label: "canvas.command.undo",
    category: "edit",
    shortcut: "Mod+Z",
    atRest: true,
    enabled: () => (activeTab()?.history.past.length ?? 0) > 0,
    run: () => state().undo(),
  },
  {
    id: "edit.redo",
    label: "canvas.command.redo",
    category: "edit",
    shortcut: ["Mod+Shift+Z", "Mod+Y"],
    atRest: true,
    enabled: () => (activeTab()?.history.future.length ?? 0) > 0,
    run: () => state().redo(),
  },
  {
    id: "edit.copy",
    label: "canvas.command.copy",
    category: "edit",
    browserKey: "Mod+C",
    enabled: selected,
    run: () => void document.execCommand("copy"),
  },
  {
    id: "edit.cut",
    label: "canvas.command.cut",
    category: "edit",
    browserKey: "Mod+X",
    enabled: selected,
    run: () => void document.execCommand("cut"),
  },
  {
    id: "edit.paste",
    label: "canvas.command.paste",
    category: "edit",
    browserKey: "Mod+V",
    run: () => pasteFromMenu(false),
  },
  {
    id: "edit.pasteLinked",
    label: "canvas.command.pasteLinked",
    category: "edit",
    browserKey: "Mod+Shift+V",
    run: () => pasteFromMenu(true),
  },
  {
    id: "edit.duplicate",
    label: "canvas.command.duplicate",
    category: "edit",
    shortcut: "Mod+D",
    enabled: selected,
    run: () => actions.duplicateSelected(false),
  },
  {
    id: "edit.duplicateLinked",
    label: "canvas.command.duplicateLinked",
    category: "edit",
    shortcut: "Mod+Shift+D",
    enabled: selected,
    run: () => actions.duplicateSelected(true),
  },
  {
    id: "edit.delete",
    label: "canvas.command.delete",
    category: "edit",
    shortcut: ["Delete", "Backspace"],
    enabled: actions.hasSelection,
    run: actions.removeSelected,
  },
  {
    id: "edit.selectAll",
    label: "canvas.command.selectAll",
    category: "edit",
    shortcut: "Mod+A",
    run: actions.selectAll,
  },
  {
    id: "node.add",
    label: "canvas.command.add",
    category: "node",
    shortcut: ["Shift+A", "Insert"],
    run: openSearch,
  },
  { id: "node.note", label: "canvas.command.note", category: "node", run: () => actions.addNote() },
  {
    id: "node.reroute",
    label: "canvas.command.reroute",
    category: "node",
    run: () => actions.addReroute(camera.current?.centre() ?? [0, 0]),
  },
  {
    id: "node.rename",
    label: "canvas.command.rename",
    category: "node",
    shortcut: "F2",
    enabled: () => activeTab()?.selection.size === 1,
    run: () => show({ naming: [...(activeTab()?.selection ?? [])][0] ?? null }),
  },
  {
    id: "node.mute",
    label: "canvas.command.mute",
    category: "node",
    shortcut: "Mod+M",
    enabled: selected,
    run: () => actions.toggleMode("muted"),
  },
  {
    id: "node.bypass",
    label: "canvas.command.bypass",
    category: "node",
    shortcut: "Mod+B",
    enabled: selected,
    run: () => actions.toggleMode("bypassed"),
  },
  {
    id: "node.collapse",
    label: "canvas.command.collapse",
    category: "node",
    shortcut: "Alt+C",
    enabled: selected,
    run: actions.toggleCollapsed,
  },
  {
    id: "node.pin",
    label: "canvas.command.pin",
    category: "node",
    shortcut: "Alt+P",
    enabled: selected,
    run: actions.togglePinned,
  },
  {
    id: "graph.group",
    label: "canvas.command.group",
    category: "graph",
    shortcut: "Mod+G",
    run: () => actions.groupSelected(i18next.t("canvas.group")),
  },
  {
    id: "graph.subgraph",
    label: "canvas.command.subgraph",
    category: "graph",
    shortcut: "Mod+Shift+G",
    enabled: selected,
    run: () => actions.subgraphOfSelected(i18next.t("canvas.subgraph")),
  },
  {
    id: "graph.unpack",
    label: "canvas.command.unpack",
    category: "graph",
    enabled: () => actions.selectedInstances().length > 0,
    run: actions.unpackSelected,
  },
  {
    id: "graph.enter",
    label: "canvas.command.enter",
    category: "graph",
    shortcut: "Mod+ArrowDown",
    enabled: () => actions.selectedInstances().length === 1,
    run: () => state().enter(actions.selectedInstances()[0]?.id ?? ""),
  },
  {
    id: "graph.leave",
    label: "canvas.command.leave",
    category: "graph",
    shortcut: "Mod+ArrowUp",
    enabled: () => (activeTab()?.path.length ?? 0) > 0,
    run: () => state().leaveTo((activeTab()?.path.length ?? 1) - 1),
  },
  {
    id: "graph.arrange",
    label: "canvas.command.arrange",
    category: "graph",
    shortcut: "L",
    run: actions.arrange,
  },
  ...ALIGNMENTS.map(
    (how): Command => ({
      id: `graph.align.${how}`,
      label: `canvas.command.align.${how}`,
      category: "graph",
      enabled: several,
      run: () => actions.alignSelected(how),
    }),
  ),
  {
    id: "view.fit",
    label: "canvas.command.fit",
    category: "view",
    shortcut: ["Shift+1", "."],
    run: () => state().fit(),
  },
  {
    id: "view.fitSelected",
    label: "canvas.command.fitSelected",
    category: "view",
    shortcut: "F",
    enabled: () => (activeTab()?.selection.size ?? 0) > 0,
    run: actions.fitSelected,
  },
  {
    id: "view.zoomIn",
    label: "canvas.command.zoomIn",
    category: "view",
    shortcut: ["Mod+=", "Mod++"],
    run: () => camera.current?.zoomBy(1.25),
  },
  {
    id: "view.zoomOut",
    label: "canvas.command.zoomOut",
    category: "view",
    shortcut: "Mod+-",
    run: () => camera.current?.zoomBy(0.8),
  },
  {
    id: "view.minimap",
    label: "canvas.command.minimap",
    category: "view",
    shortcut: "M",
    run: () => toggle("minimap"),
  },
  {
    id: "view.snap",
    label: "canvas.command.snap",
    category: "view",
    shortcut: "S",
    run: () => toggle("snap"),
  },
  { id: "view.lock", label: "canvas.command.lock", category: "view", run: () => toggle("locked") },
  {
    id: "view.outline",
    label: "canvas.command.outline",
    category: "view",
    shortcut: "Alt+O",
    whileTyping: true,
    run: () => toggle("outline"),
  },
];

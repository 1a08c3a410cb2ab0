/** The menu of what was pointed at: the commands that fit, and what only that thing has. */

import { DropdownMenu } from "radix-ui";
import { allCommands } from "../commands/all";
import { type Command, isEnabled } from "../commands/command";
import { keysOf, shortcutText } from "../commands/keys";
import { useTranslation } from "../i18n";
import { GRAPH_INPUT, linksInto, TOP } from "../model/document";
import { showAsInput } from "../model/edits";
import { inputValue } from "../model/shape";
import { demoteInput, demoteOutput, promoteInput } from "../model/subgraphs";
import { slotKey } from "../nodes/rename";
import { shapeAt } from "../nodes/shapes";
import { run } from "../panels/commands";
import { isPinned, togglePin } from "../panels/eight/pins";
import { activeGraph, activeGraphId, activeTab, pathOf, useWorkspace } from "../state/workspace";
import { addNote, addReroute, paintSelected } from "./actions";
import { camera, type Menu, show, useView } from "./view";

const NODE = ["node.rename", "node.mute", "node.bypass", "node.collapse", "node.pin"];
const EDIT = ["edit.copy", "edit.duplicate", "edit.duplicateLinked", "edit.delete"];
const GRAPH = ["graph.group", "graph.subgraph", "graph.enter", "graph.unpack", "graph.arrange"];
const CANVAS = ["edit.paste", "edit.pasteLinked", "edit.selectAll"];
const VIEW = [
  "view.fit",
  "graph.arrange",
  "view.snap",
  "view.minimap",
  "view.lock",
  "view.outline",
];
const COLORS = ["#35506b", "#3f5f4a", "#6b4a35", "#5a3f66", "#6b3540", "#5f5a35"];

export function ContextMenu() {
  const { t } = useTranslation();
  const menu = useView((view) => view.menu);
  if (menu === null) return null;
  const [left, top] = menu.screen;
  return (
    <DropdownMenu.Root open onOpenChange={(open) => open || show({ menu: null })} modal={false}>
      <DropdownMenu.Trigger asChild>
        <button
          type="button"
          tabIndex={-1}
          className="menu-anchor"
          aria-label={t("canvas.menuAnchor")}
          style={{ left, top }}
        />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          className="floating menu"
          side="right"
          align="start"
          collisionPadding={4}
          onCloseAutoFocus={(event) => event.preventDefault()}
        >
          <Items menu={menu} />
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

function Items({ menu }: { readonly menu: Menu }) {
  const { target } = menu;
  switch (target.kind) {
    case "canvas":
      return <CanvasItems menu={menu} />;
    case "node":
      return <NodeItems id={target.id} menu={menu} />;
    case "group":
      return (
        <>
          <Commands ids={["node.rename", "graph.arrange", "edit.delete"]} />
          <Line />
          <Colors />
        </>
      );
    case "link":
      return <LinkItems menu={menu} id={target.id} at={target.at} />;
    case "widget":
      return <WidgetItems id={target.id} input={target.input} />;
    case "slot":
      return <SlotItems side={target.side} name={target.name} />;
  }
}

function CanvasItems({ menu }: { readonly menu: Menu }) {
  const { t } = useTranslation();
  const at = menu.target.kind === "canvas" ? menu.target.at : ([0, 0] as const);
  return (
    <>
      <Item
        text={t("canvas.command.add")}
        keys={firstKey("node.add")}
        run={() => show({ search: { at, screen: menu.screen } })}
      />
      <Item text={t("canvas.command.note")} run={() => addNote(at)} />
      <Item text={t("canvas.command.reroute")} run={() => addReroute(at)} />
      <Commands ids={["graph.group"]} />
      <Line />
      <Commands ids={CANVAS} />
      <Line />
      <Commands ids={[...VIEW, "graph.leave"]} />
    </>
  );
}

function NodeItems({ id, menu }: { readonly id: string; readonly menu: Menu }) {
  const { t } = useTranslation();
  const shape = shapeAt(useWorkspace.getState(), id);
  const at = camera.current?.toCanvas(menu.screen) ?? [0, 0];
  return (
    <>
      {shape?.info?.is_output && (
        <>
          <Item text={t("canvas.runThis")} run={() => void run({ targets: [pathOf(id)] })} />
          <Line />
        </>
      )}
      <Commands ids={NODE} />
      <Item
        text={t("canvas.replace")}
        run={() => show({ search: { at, screen: menu.screen, replaces: id } })}
      />
      <Line />
      <Colors />
      <Line />
      <Commands ids={EDIT} />
      <Line />
      <Commands ids={GRAPH} />
      <Alignments />
      {shape?.info && (
        <>
          <Line />
          <Commands ids={["help.node"]} />
        </>
      )}
    </>
  );
}

interface LinkItemsProps {
  readonly menu: Menu;
  readonly id: string;
  readonly at: readonly [number, number];
}

function LinkItems({ menu, id, at }: LinkItemsProps) {
  const { t } = useTranslation();
  const link = activeGraph().links.get(id);
  return (
    <>
      <Item text={t("canvas.rerouteHere")} run={() => addReroute(at, id)} />
      {link !== undefined && (
        <Item
          text={t("canvas.addBetween")}
          run={() => show({ search: { at, screen: menu.screen, into: id } })}
        />
      )}
      <Item
        text={t("canvas.removeLink")}
        run={() =>
          useWorkspace.getState().apply({ kind: "remove", graph: activeGraphId(), links: [id] })
        }
      />
    </>
  );
}

function WidgetItems({ id, input }: { readonly id: string; readonly input: string }) {
  const { t } = useTranslation();
  const { apply } = useWorkspace.getState();
  const tab = activeTab();
  const node = activeGraph().nodes.get(id);
  const shape = shapeAt(useWorkspace.getState(), id);
  const found = shape?.widgets.find((one) => one.name === input);
  if (tab === undefined || node === undefined || found === undefined) return null;
  const graphId = activeGraphId();
  const pin = { node: pathOf(id), input };
  const promoted = linksInto(activeGraph(), id, input).find((link) => link.from === GRAPH_INPUT);
  const promotedName = tab.workflow.subgraphs.get(graphId)?.inputs[promoted?.fromSlot ?? -1]?.name;
  return (
    <>
      <Item
        text={t(found.asInput ? "canvas.asWidget" : "canvas.asInput")}
        run={() => apply(showAsInput(activeGraph(), graphId, node, found, !found.asInput))}
      />
      <Item
        text={t(isPinned(tab.workflow, pin) ? "canvas.unpin" : "canvas.pin")}
        run={() => apply(togglePin(tab.workflow, pin))}
      />
      {graphId !== TOP && promotedName === undefined && (
        <Item
          text={t("canvas.promote")}
          run={() =>
            apply(
              promoteInput(tab.workflow, graphId, node, {
                name: input,
                type: found.type,
                isWidget: true,
                value: inputValue(node, found),
              }),
            )
          }
        />
      )}
      {promotedName !== undefined && (
        <Item
          text={t("canvas.demote")}
          run={() => apply(demoteInput(tab.workflow, graphId, promotedName))}
        />
      )}
      {(found.default !== undefined || found.empty === "null") && (
        <Item
          text={t("canvas.reset")}
          run={() =>
            apply({
              kind: "set-value",
              graph: graphId,
              node: id,
              name: input,
              value: found.default ?? null,
            })
          }
        />
      )}
    </>
  );
}

interface SlotItemsProps {
  readonly side: "inputs" | "outputs";
  readonly name: string;
}

/** What can be done with an input or output of the subgraph in which one stands. */
function SlotItems({ side, name }: SlotItemsProps) {
  const { t } = useTranslation();
  const remove = side === "inputs" ? demoteInput : demoteOutput;
  const onRemove = () => {
    const tab = activeTab();
    if (tab === undefined) return;
    useWorkspace.getState().apply(remove(tab.workflow, activeGraphId(), name));
  };
  return (
    <>
      <Item text={t("canvas.command.rename")} run={() => show({ naming: slotKey(side, name) })} />
      <Item text={t("canvas.removeSlot")} run={onRemove} />
    </>
  );
}

function Alignments() {
  const { t } = useTranslation();
  const commands = allCommands.filter((command) => command.id.startsWith("graph.align."));
  if (!commands.some(isEnabled)) return null;
  return (
    <DropdownMenu.Sub>
      <DropdownMenu.SubTrigger className="menu-item">
        {t("canvas.align")} <kbd>›</kbd>
      </DropdownMenu.SubTrigger>
      <DropdownMenu.Portal>
        <DropdownMenu.SubContent className="floating menu">
          {commands.map((command) => (
            <CommandItem key={command.id} command={command} />
          ))}
        </DropdownMenu.SubContent>
      </DropdownMenu.Portal>
    </DropdownMenu.Sub>
  );
}

function Colors() {
  const { t } = useTranslation();
  return (
    <div className="menu-colors">
      {[null, ...COLORS].map((color, at) => (
        <DropdownMenu.Item
          key={color ?? "none"}
          className="menu-color"
          style={{ background: color ?? "transparent" }}
          aria-label={color === null ? t("canvas.noColor") : t("canvas.color", { number: at })}
          onSelect={() => paintSelected(color)}
        />
      ))}
    </div>
  );
}

export function Commands({ ids }: { readonly ids: readonly string[] }) {
  return ids.map((id) => {
    const command = allCommands.find((one) => one.id === id);
    return command && isEnabled(command) ? <CommandItem key={id} command={command} /> : null;
  });
}

function CommandItem({ command }: { readonly command: Command }) {
  const { t } = useTranslation();
  return (
    <Item text={t(command.label)} keys={firstKey(command.id)} run={() => void command.run()} />
  );
}

/** The first key of a command, as the person chose it. */
function firstKey(id: string): string | undefined {
  const command = allCommands.find((one) => one.id === id);
  return command === undefined ? undefined : keysOf(command)[0];
}

interface ItemProps {
  readonly text: string;
  readonly keys?: string | undefined;
  readonly run: () => void;
}

function Item({ text, keys, run }: ItemProps) {
  return (
    <DropdownMenu.Item className="menu-item" onSelect={() => setTimeout(run)}>
      {text}
      {keys !== undefined && <kbd>{shortcutText(keys)}</kbd>}
    </DropdownMenu.Item>
  );
}

function Line() {
  return <DropdownMenu.Separator className="menu-line" />;
}

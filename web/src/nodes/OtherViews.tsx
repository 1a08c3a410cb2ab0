/** Notes, reroutes, frames, and the two edges of a subgraph. */

import { type NodeProps, NodeResizer } from "@xyflow/react";
import { type MouseEvent, memo } from "react";
import { show, useView } from "../canvas/view";
import { useTranslation } from "../i18n";
import {
  type Bounds,
  GRAPH_INPUT,
  GRAPH_OUTPUT,
  type GraphNode,
  linksInto,
  linksOutOf,
  type Slot,
} from "../model/document";
import { edit, NEW_SLOT } from "../model/edits";
import { HEADER, PADDING, SOCKET_ROW } from "../model/measures";
import { noteText, slotLabel } from "../model/shape";
import { ANY } from "../model/sockets";
import { activeGraph, activeGraphId, useDocument, useWorkspace } from "../state/workspace";
import { Resizer } from "./Resizer";
import { renameGroup, renameNode, renameSlot, slotKey } from "./rename";
import { Socket } from "./Socket";
import { useNode, useShape } from "./shapes";
import { TitleField } from "./TitleField";

export const NoteView = memo(function NoteView({ id, selected }: NodeProps) {
  const { t } = useTranslation();
  const node = useNode(id);
  const naming = useView((view) => view.naming === id);
  if (node === undefined) return null;
  const title = node.title ?? t("canvas.note");
  const color = node.extra["color"];
  const write = (text: string) =>
    useWorkspace.getState().apply(edit(activeGraphId(), id, noteFields(node, text)), {
      group: `note ${id}`,
    });
  return (
    <article
      className="note"
      aria-label={title}
      data-selected={selected || undefined}
      style={typeof color === "string" ? ({ "--tint": color } as React.CSSProperties) : undefined}
    >
      {/* biome-ignore lint/a11y/noStaticElementInteractions: F2 does the same by keyboard. */}
      <header onDoubleClick={() => show({ naming: id })}>
        {naming ? <TitleField title={node.title ?? ""} rename={renameNode(id)} /> : title}
      </header>
      <textarea
        className="nodrag nowheel"
        aria-label={title}
        placeholder={t("canvas.notePlaceholder")}
        value={noteText(node)}
        onChange={(event) => write(event.target.value)}
      />
      {selected && <Resizer node={id} least={[140, 80]} />}
    </article>
  );
});

/** The fields with another text, written where the file has it. */
function noteFields(node: GraphNode, text: string) {
  if (node.unnamed.length > 0) return { unnamed: [text, ...node.unnamed.slice(1)] };
  const name = Object.keys(node.values)[0] ?? "text";
  return { values: { ...node.values, [name]: text } };
}

export const RerouteView = memo(function RerouteView({ id, selected }: NodeProps) {
  const { t } = useTranslation();
  const shape = useShape(id);
  const type = useWorkspace((state) => {
    const graph = activeGraph(state);
    const [link = linksOutOf(graph, id)[0]] = linksInto(graph, id);
    return link?.type ?? "*";
  });
  const [input] = shape?.sockets ?? [];
  return (
    <article
      className="reroute"
      aria-label={t("canvas.reroute")}
      data-selected={selected || undefined}
    >
      <Socket
        node={id}
        side="input"
        id={input?.name ?? ""}
        type={type}
        label={t("canvas.reroute")}
        y={13}
        linked={input?.linked ?? false}
      />
      <Socket
        node={id}
        side="output"
        id="0"
        type={type}
        label={t("canvas.reroute")}
        y={13}
        linked
      />
    </article>
  );
});

export const GroupView = memo(function GroupView({ id, selected }: NodeProps) {
  const { t } = useTranslation();
  const group = useWorkspace((state) => activeGraph(state).groups.get(id));
  const naming = useView((view) => view.naming === id);
  if (group === undefined) return null;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a frame around nodes is no fieldset.
    <div
      className="group"
      role="group"
      aria-label={group.title || t("canvas.group")}
      data-selected={selected || undefined}
      style={group.color ? ({ "--tint": group.color } as React.CSSProperties) : undefined}
    >
      {/* biome-ignore lint/a11y/noStaticElementInteractions: F2 does the same by keyboard. */}
      <div className="group-title" onDoubleClick={() => show({ naming: id })}>
        {naming ? (
          <TitleField title={group.title} rename={renameGroup(id)} />
        ) : (
          group.title || t("canvas.group")
        )}
      </div>
      <NodeResizer
        isVisible={selected}
        minWidth={100}
        minHeight={60}
        onResize={(_, { x, y, width, height }) =>
          useWorkspace.getState().apply(
            {
              kind: "edit-group",
              graph: activeGraphId(),
              group: id,
              fields: { bounds: rounded(x, y, width, height) },
            },
            { group: `resize ${id}` },
          )
        }
      />
    </div>
  );
});

function rounded(...bounds: Bounds): Bounds {
  const [x, y, width, height] = bounds;
  return [Math.round(x), Math.round(y), Math.round(width), Math.round(height)];
}

/** The inputs or the outputs of the subgraph in which one stands. */
export const BoundaryView = memo(function BoundaryView({ id }: NodeProps) {
  const { t } = useTranslation();
  const workflow = useDocument();
  const graphId = useWorkspace(activeGraphId);
  const links = useWorkspace((state) => activeGraph(state).links);
  const subgraph = workflow.subgraphs.get(graphId);
  if (subgraph === undefined) return null;
  const side = id === GRAPH_INPUT ? "inputs" : "outputs";
  const used = new Set(
    [...links.values()].flatMap((link) =>
      side === "inputs"
        ? link.from === id
          ? [link.fromSlot]
          : []
        : link.to === id
          ? [link.toSlot]
          : [],
    ),
  );
  const title = t(side === "inputs" ? "canvas.subgraphInputs" : "canvas.subgraphOutputs");
  return (
    <article className="node boundary" aria-label={title}>
      <header className="node-header">
        <h3>{title}</h3>
      </header>
      {[...subgraph[side], { name: NEW_SLOT, type: ANY }].map((slot, place) => (
        <BoundarySlot
          key={slot.name}
          side={side}
          slot={slot}
          place={place}
          linked={used.has(place)}
        />
      ))}
    </article>
  );
});

interface BoundarySlotProps {
  readonly side: "inputs" | "outputs";
  readonly slot: Slot;
  readonly place: number;
  readonly linked: boolean;
}

function BoundarySlot({ side, slot, place, linked }: BoundarySlotProps) {
  const { t } = useTranslation();
  const naming = useView((view) => view.naming === slotKey(side, slot.name));
  const fresh = slot.name === NEW_SLOT;
  const label = fresh ? t("canvas.newSlot") : slotLabel(slot);
  const y = boundaryY(place);
  const inputs = side === "inputs";
  const openMenu = (event: MouseEvent) => {
    event.preventDefault();
    event.stopPropagation();
    const target = { kind: "slot", side, name: slot.name } as const;
    if (!fresh) show({ menu: { target, screen: [event.clientX, event.clientY] } });
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: its socket takes the keys.
    <div onContextMenu={openMenu}>
      <Socket
        node={inputs ? GRAPH_INPUT : GRAPH_OUTPUT}
        side={inputs ? "output" : "input"}
        id={inputs ? (fresh ? "-1" : String(place)) : slot.name}
        type={slot.type}
        label={label}
        y={y}
        linked={linked}
      />
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the menu does the same by keyboard. */}
      <span
        className={`socket-label ${inputs ? "out" : ""}`}
        style={{ top: y }}
        data-new={fresh || undefined}
        onDoubleClick={() => fresh || show({ naming: slotKey(side, slot.name) })}
      >
        {naming ? <TitleField title={label} rename={renameSlot(side, slot.name)} /> : label}
      </span>
    </div>
  );
}

export function boundaryY(place: number): number {
  return HEADER + PADDING + (place + 0.5) * SOCKET_ROW;
}

/** Notes, reroutes, frames, and the two edges of a subgraph. */

import { type NodeProps, NodeResizeControl, NodeResizer } from "@xyflow/react";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import { show, useView } from "../canvas/view";
import { GRAPH_INPUT, type GraphNode } from "../model/document";
import { edit, NEW_SLOT } from "../model/edits";
import { HEADER, PADDING, SOCKET_ROW } from "../model/measures";
import { noteText } from "../model/shape";
import { activeGraph, activeGraphId, useDocument, useWorkspace } from "../state/workspace";
import { Socket } from "./Socket";
import { useNode, useShape } from "./shapes";
import { useLanguage } from "./texts";

export const NoteView = memo(function NoteView({ id, selected }: NodeProps) {
  const { t } = useTranslation();
  const node = useNode(id);
  if (node === undefined) return null;
  const color = node.extra["color"];
  const write = (text: string) =>
    useWorkspace.getState().apply(edit(activeGraphId(), id, noteFields(node, text)), {
      group: `note ${id}`,
    });
  return (
    <article
      className="note"
      aria-label={node.title ?? t("canvas.note")}
      data-selected={selected || undefined}
      style={typeof color === "string" ? ({ "--tint": color } as React.CSSProperties) : undefined}
    >
      <header>{node.title ?? t("canvas.note")}</header>
      <textarea
        className="nodrag nowheel"
        aria-label={node.title ?? t("canvas.note")}
        placeholder={t("canvas.notePlaceholder")}
        value={noteText(node)}
        onChange={(event) => write(event.target.value)}
      />
      {selected && (
        <NodeResizeControl
          className="resizer nodrag"
          minWidth={140}
          minHeight={80}
          onResize={(_, { width, height }) =>
            useWorkspace.getState().apply(
              {
                kind: "resize",
                graph: activeGraphId(),
                node: id,
                size: [Math.round(width), Math.round(height)],
              },
              { group: `resize ${id}` },
            )
          }
        />
      )}
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
    for (const link of graph.links.values())
      if (link.to === id || link.from === id) return link.type;
    return "*";
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
  const edited = (fields: { title: string }) =>
    useWorkspace
      .getState()
      .apply(
        { kind: "edit-group", graph: activeGraphId(), group: id, fields },
        { group: `title ${id}` },
      );
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
          <input
            // biome-ignore lint/a11y/noAutofocus: somebody asked to write the title.
            autoFocus
            className="field nodrag"
            aria-label={t("canvas.title")}
            value={group.title}
            onChange={(event) => edited({ title: event.target.value })}
            onBlur={() => show({ naming: null })}
            onKeyDown={(event) => {
              if (event.nativeEvent.isComposing) return;
              if (event.key === "Enter" || event.key === "Escape") show({ naming: null });
            }}
          />
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
              fields: { bounds: [x, y, width, height] },
            },
            { group: `resize ${id}` },
          )
        }
      />
    </div>
  );
});

/** The inputs or the outputs of the subgraph in which one stands. */
export const BoundaryView = memo(function BoundaryView({ id }: NodeProps) {
  const { t } = useTranslation();
  const language = useLanguage();
  const workflow = useDocument();
  const graphId = useWorkspace(activeGraphId);
  const links = useWorkspace((state) => activeGraph(state).links);
  const subgraph = workflow.subgraphs.get(graphId);
  if (subgraph === undefined) return null;
  const inputs = id === GRAPH_INPUT;
  const slots = inputs ? subgraph.inputs : subgraph.outputs;
  const used = new Set(
    [...links.values()].flatMap((link) =>
      inputs ? (link.from === id ? [link.fromSlot] : []) : link.to === id ? [link.toSlot] : [],
    ),
  );
  const title = t(inputs ? "canvas.subgraphInputs" : "canvas.subgraphOutputs");
  const side = inputs ? "output" : "input";
  return (
    <article className="node boundary" aria-label={title} lang={language}>
      <header className="node-header">
        <h3>{title}</h3>
      </header>
      {[...slots, { name: NEW_SLOT, type: "*" }].map((slot, place) => {
        const y = boundaryY(place);
        const fresh = slot.name === NEW_SLOT;
        const label = fresh ? t("canvas.newSlot") : slot.name.replaceAll("_", " ");
        return (
          <div key={slot.name}>
            <Socket
              node={id}
              side={side}
              id={inputs ? (fresh ? "-1" : String(place)) : slot.name}
              type={slot.type}
              label={label}
              y={y}
              linked={used.has(place)}
            />
            <span
              className={`socket-label ${inputs ? "out" : ""}`}
              style={{ top: y }}
              data-new={fresh || undefined}
            >
              {label}
            </span>
          </div>
        );
      })}
    </article>
  );
});

export function boundaryY(place: number): number {
  return HEADER + PADDING + (place + 0.5) * SOCKET_ROW;
}

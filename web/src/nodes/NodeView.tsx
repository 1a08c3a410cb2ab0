/** A node on the canvas: title, sockets, widgets, how it is doing, and what it shows. */

import { type NodeProps, useConnection } from "@xyflow/react";
import { type MouseEvent, memo } from "react";
import { show, useView } from "../canvas/view";
import { useTranslation } from "../i18n";
import { waysAround } from "../model/bypass";
import { type GraphNode, linksOutOf, type Mode, type NodeId } from "../model/document";
import type { Json } from "../model/json";
import {
  HEADER,
  isCollapsed,
  LEAST_WIDTH,
  type Measures,
  PADDING,
  SOCKET_ROW,
  WIDGET_ROW,
} from "../model/measures";
import { type InputShape, inputValue, type NodeShape } from "../model/shape";
import { Icon } from "../panels/Icon";
import type { ProblemAnswer } from "../protocol/generated";
import { useNodeRun, useProblems } from "../state/server";
import { activeGraph, activeGraphId, activeTab, useWorkspace } from "../state/workspace";
import { Widget } from "../widgets/Widget";
import { useBuilt } from "./building";
import { NodeShown } from "./NodeShown";
import { Resizer } from "./Resizer";
import { renameNode } from "./rename";
import { Socket } from "./Socket";
import { Status, Why } from "./Status";
import { useMeasures, useNode, usePath, useShape } from "./shapes";
import { TitleField } from "./TitleField";
import { inputHelp, inputLabel, nodeTitle, useLanguage } from "./texts";

export const NodeView = memo(function NodeView({ id, selected }: NodeProps) {
  const node = useNode(id);
  const shape = useShape(id);
  const measures = useMeasures(id);
  const built = useBuilt();
  if (node === undefined || shape === undefined || measures === undefined) return null;
  if (!built) return <article className="node" data-node-type={node.type} />;
  return <Frame node={node} shape={shape} measures={measures} selected={selected} />;
});

interface FrameProps {
  readonly node: GraphNode;
  readonly shape: NodeShape;
  readonly measures: Measures;
  readonly selected: boolean;
}

function Frame({ node, shape, measures, selected }: FrameProps) {
  const path = usePath(node.id);
  const run = useNodeRun(path);
  const problems = useProblems(path);
  const language = useLanguage();
  // The title, not the document: any edit anywhere makes a new one of that.
  const title = useWorkspace((state) =>
    nodeTitle(node, shape, activeTab(state)?.workflow, language),
  );
  const collapsed = isCollapsed(node);
  const color = node.extra["color"];
  const worst = problems.some((one) => one.severity === "error")
    ? "error"
    : problems.length > 0
      ? "warning"
      : undefined;
  return (
    <article
      className="node"
      aria-label={title}
      data-kind={shape.kind}
      data-mode={node.mode}
      data-status={run?.status}
      data-problem={worst}
      data-selected={selected || undefined}
      data-node-type={node.type}
      style={typeof color === "string" ? ({ "--tint": color } as React.CSSProperties) : undefined}
    >
      <Header
        node={node.id}
        mode={node.mode}
        shape={shape}
        title={title}
        problems={problems}
        path={path}
      />
      <Sockets node={node.id} shape={shape} measures={measures} collapsed={collapsed} />
      {!collapsed && (
        <>
          <Widgets node={node} shape={shape} measures={measures} problems={problems} />
          {measures.shownHeight > 0 && (
            <NodeShown run={run} height={measures.shownHeight} title={title} />
          )}
          {node.mode === "bypassed" && <Ghost node={node} measures={measures} />}
          {selected && <Resizer node={node.id} least={[LEAST_WIDTH, 60]} />}
        </>
      )}
      {run?.status === "running" && run.max !== undefined && run.max > 0 && (
        <div
          className="node-progress"
          role="progressbar"
          aria-label={title}
          aria-valuenow={run.value ?? 0}
          aria-valuemax={run.max}
          style={{ "--done": (run.value ?? 0) / run.max } as React.CSSProperties}
        />
      )}
    </article>
  );
}

function socketRows(shape: NodeShape): number {
  return Math.max(shape.sockets.length, shape.outputs.length);
}

// --- the title ---------------------------------------------------------------------------------

interface HeaderProps {
  readonly node: NodeId;
  readonly mode: Mode;
  readonly shape: NodeShape;
  readonly title: string;
  readonly problems: readonly ProblemAnswer[];
  readonly path: string;
}

const Header = memo(function Header({ node, mode, shape, title, problems, path }: HeaderProps) {
  const { t } = useTranslation();
  const language = useLanguage();
  const naming = useView((view) => view.naming === node);
  const onDoubleClick = (event: MouseEvent) => {
    event.stopPropagation();
    if (shape.kind === "subgraph") useWorkspace.getState().enter(node);
    else show({ naming: node });
  };
  const description = shape.info?.texts[language].description ?? "";
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: F2 and the menu do the same by keyboard.
    <header className="node-header" title={description} onDoubleClick={onDoubleClick}>
      <span className="node-dot" aria-hidden="true" />
      {naming ? <TitleField title={title} rename={renameNode(node)} /> : <h3>{title}</h3>}
      {shape.kind === "unknown" && (
        <span className="node-badge bad">{t("canvas.unknownNode")}</span>
      )}
      {shape.kind === "subgraph" && (
        <button
          type="button"
          className="node-enter nodrag"
          title={t("canvas.enter")}
          aria-label={t("canvas.enterNamed", { title })}
          onClick={() => useWorkspace.getState().enter(node)}
        >
          <Icon name="enter" />
        </button>
      )}
      {mode === "muted" && <span className="node-badge">{t("canvas.muted")}</span>}
      {mode === "bypassed" && <span className="node-badge">{t("canvas.bypassed")}</span>}
      <Why path={path} />
      <Status path={path} problems={problems} />
    </header>
  );
});

// --- sockets -----------------------------------------------------------------------------------

interface SocketsProps {
  readonly node: NodeId;
  readonly shape: NodeShape;
  readonly measures: Measures;
  readonly collapsed: boolean;
}

const Sockets = memo(function Sockets({ node, shape, measures, collapsed }: SocketsProps) {
  const used = useWorkspace((state) => usedOutputs(activeGraph(state), node));
  const near = useView((view) => view.pointed === node || view.focused === node);
  const linking = useConnection((connection) => connection.inProgress);
  const places = new Set(used.split(","));
  const y = (name: string) => measures.inputs.get(name) ?? HEADER / 2;
  const language = useLanguage();
  const socketOf = (input: InputShape, quiet = false) => (
    <Socket
      key={input.name}
      node={node}
      side="input"
      id={input.name}
      type={input.type}
      label={inputLabel(input)}
      y={y(input.name)}
      linked={input.linked}
      quiet={quiet}
    />
  );
  return (
    <>
      {shape.sockets.map((input) => (
        <div key={input.name} className="socket-row">
          {socketOf(input)}
          {!collapsed && (
            <span
              className="socket-label"
              style={{ top: y(input.name) }}
              data-missing={(input.required && !input.linked) || undefined}
              title={inputHelp(shape, input.name, language)}
            >
              {inputLabel(input)}
            </span>
          )}
        </div>
      ))}
      {shape.widgets
        .filter((input) => input.asInput || input.linked || near || linking)
        .map((input) => socketOf(input, !input.asInput))}
      {shape.outputs.map((output, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: an output is its place.
        <div key={place} className="socket-row">
          <Socket
            node={node}
            side="output"
            id={String(place)}
            type={output.type}
            label={output.label ?? output.name}
            y={measures.outputs[place] ?? HEADER / 2}
            linked={places.has(String(place))}
          />
          {!collapsed && (
            <span className="socket-label out" style={{ top: measures.outputs[place] }}>
              {(output.label ?? output.name).replaceAll("_", " ")}
            </span>
          )}
        </div>
      ))}
    </>
  );
});

function usedOutputs(graph: ReturnType<typeof activeGraph>, id: string): string {
  const places = linksOutOf(graph, id).map((link) => link.fromSlot);
  return [...new Set(places)].join();
}

// --- widgets -----------------------------------------------------------------------------------

interface WidgetsProps {
  readonly node: GraphNode;
  readonly shape: NodeShape;
  readonly measures: Measures;
  readonly problems: readonly ProblemAnswer[];
}

function Widgets({ node, shape, measures, problems }: WidgetsProps) {
  const built = useBuilt();
  if (!built) return null;
  return (
    <div
      className="node-widgets"
      style={{ top: HEADER + PADDING + socketRows(shape) * SOCKET_ROW }}
    >
      {shape.widgets.map((input, place) => (
        <WidgetRow
          key={input.name}
          node={node.id}
          shape={shape}
          input={input}
          value={inputValue(node, input)}
          height={measures.widgetRows[place] ?? WIDGET_ROW}
          problem={problems.find((one) => one.input === input.name)}
        />
      ))}
    </div>
  );
}

interface RowProps {
  readonly node: NodeId;
  readonly shape: NodeShape;
  readonly input: InputShape;
  readonly value: Json | undefined;
  readonly height: number;
  readonly problem: ProblemAnswer | undefined;
}

const WidgetRow = memo(function WidgetRow(props: RowProps) {
  const { node, shape, input, value, height, problem } = props;
  const language = useLanguage();
  const graph = useWorkspace(activeGraphId);
  const label = inputLabel(input);
  const widget = input.widget;
  const message = problem?.message[language];
  const tall = height > WIDGET_ROW && !input.asInput;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the node's menu does the same by keyboard.
    <div
      className="widget-row"
      data-input={input.name}
      data-tall={tall || undefined}
      data-problem={problem?.severity}
      style={{ height }}
      title={message ?? inputHelp(shape, input.name, language)}
      onContextMenu={(event) => {
        event.preventDefault();
        event.stopPropagation();
        const target = { kind: "widget", id: node, input: input.name } as const;
        show({ menu: { target, screen: [event.clientX, event.clientY] } });
      }}
    >
      {(!tall || widget?.kind === "image") && <span className="widget-label">{label}</span>}
      {input.asInput || widget === null ? (
        <span className="widget-linked">{input.linked ? "" : shortText(value)}</span>
      ) : (
        <Widget
          graph={graph}
          node={node}
          name={input.name}
          label={label}
          widget={widget}
          value={value}
          empty={input.empty}
        />
      )}
      {message !== undefined && <span className="visually-hidden">{message}</span>}
    </div>
  );
});

function shortText(value: unknown): string {
  return value === undefined || value === null ? "" : String(value).slice(0, 30);
}

// --- bypass ----------------------------------------------------------------------------------

/** The way around a bypassed node, from its inputs to the outputs that they stand in for. */
function Ghost({ node, measures }: { readonly node: GraphNode; readonly measures: Measures }) {
  const [width, height] = measures.size;
  return (
    <svg className="ghost" width={width} height={height} aria-hidden="true">
      {waysAround(node).map(({ from, to }) => {
        const start = measures.inputs.get(node.inputs[from]?.name ?? "") ?? 0;
        const end = measures.outputs[to] ?? 0;
        const middle = width / 2;
        return (
          <path key={to} d={`M0 ${start} C${middle} ${start} ${middle} ${end} ${width} ${end}`} />
        );
      })}
    </svg>
  );
}

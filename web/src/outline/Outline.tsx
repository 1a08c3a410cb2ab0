/** The graph as a list: for screen readers and for whoever prefers to read it. */

import type { KeyboardEvent } from "react";
import { show, useView } from "../canvas/view";
import { useTranslation } from "../i18n";
import { type GraphNode, linksInto, linksOutOf } from "../model/document";
import { inputValue } from "../model/shape";
import { shapeAt, usePath, useTypes } from "../nodes/shapes";
import { inputLabel, nodeTitle, useLanguage } from "../nodes/texts";
import { useNodeRun, useProblems } from "../state/server";
import { activeGraphId, useDocument, useGraph, useWorkspace } from "../state/workspace";
import { Widget } from "../widgets/Widget";

export function Outline() {
  return useView((view) => view.outline) ? <List /> : null;
}

function List() {
  const { t } = useTranslation();
  const graph = useGraph();
  const nodes = ordered([...graph.nodes.values()]);
  return (
    // Whoever opens it goes on reading in it.
    <section className="outline panel" aria-label={t("outline.title")} tabIndex={-1} ref={focused}>
      <header>
        <h2>{t("outline.title")}</h2>
        <button
          type="button"
          className="button quiet icon"
          aria-label={t("outline.close")}
          onClick={() => show({ outline: false })}
        >
          ×
        </button>
      </header>
      <p className="hint">{t("outline.count", { nodes: nodes.length, links: graph.links.size })}</p>
      <ol onKeyDown={walk}>
        {nodes.map((node) => (
          <Entry key={node.id} node={node} />
        ))}
      </ol>
    </section>
  );
}

function Entry({ node }: { readonly node: GraphNode }) {
  const { t } = useTranslation();
  const language = useLanguage();
  const workflow = useDocument();
  const graph = useGraph();
  const types = useTypes();
  const path = usePath(node.id);
  const run = useNodeRun(path);
  const problems = useProblems(path);
  const selected = useWorkspace((state) =>
    state.tabs.find((tab) => tab.id === state.active)?.selection.has(node.id),
  );
  const shape = shapeAt(useWorkspace.getState(), node.id, types);
  if (shape === undefined) return null;
  const title = nodeTitle(node, shape, workflow, language);
  const nameOf = (id: string) => {
    const other = graph.nodes.get(id);
    if (other === undefined) return id;
    const otherShape = shapeAt(useWorkspace.getState(), id, types);
    return nodeTitle(other, otherShape, workflow, language);
  };
  return (
    <li>
      <details open={selected}>
        {/* biome-ignore lint/a11y/noStaticElementInteractions: a summary is a button. */}
        <summary
          onFocus={() => useWorkspace.getState().select([node.id])}
          onDoubleClick={() => useWorkspace.getState().fit([node.id])}
        >
          {title} <span className="hint">#{node.id}</span>
          {run !== undefined && <span className="hint"> {t(`canvas.status.${run.status}`)}</span>}
          {problems.length > 0 && (
            <span className="outline-problem">
              {" "}
              {t("outline.problems", { count: problems.length })}
            </span>
          )}
        </summary>
        <ul>
          {[...shape.sockets, ...shape.widgets].map((input) => {
            const sources = linksInto(graph, node.id, input.name);
            const label = inputLabel(input);
            return (
              <li key={input.name} className="outline-input">
                <button
                  type="button"
                  className="button quiet"
                  title={t("canvas.inputSocket", { label, type: input.type })}
                  onClick={() =>
                    show({ wiring: { to: { node: node.id, name: input.name }, type: input.type } })
                  }
                >
                  {label}{" "}
                  <span className="hint">
                    {sources.length === 0
                      ? input.widget === null
                        ? t("outline.unlinked")
                        : ""
                      : t("outline.from", {
                          names: sources.map((one) => nameOf(one.from)).join(", "),
                        })}
                  </span>
                </button>
                {input.widget !== null && !input.asInput && (
                  <Widget
                    graph={activeGraphId()}
                    node={node.id}
                    name={input.name}
                    label={label}
                    widget={input.widget}
                    value={inputValue(node, input)}
                    empty={input.empty}
                  />
                )}
              </li>
            );
          })}
          {shape.outputs.map((output, place) => {
            const targets = linksOutOf(graph, node.id).filter((link) => link.fromSlot === place);
            const label = output.label ?? output.name;
            return (
              // biome-ignore lint/suspicious/noArrayIndexKey: an output is its place.
              <li key={place}>
                <button
                  type="button"
                  className="button quiet"
                  title={t("canvas.outputSocket", { label, type: output.type })}
                  onClick={() =>
                    show({ wiring: { from: { node: node.id, place }, type: output.type } })
                  }
                >
                  {label}{" "}
                  <span className="hint">
                    {targets.length === 0
                      ? t("outline.unlinked")
                      : t("outline.to", { names: targets.map((one) => nameOf(one.to)).join(", ") })}
                  </span>
                </button>
              </li>
            );
          })}
        </ul>
      </details>
    </li>
  );
}

function focused(element: HTMLElement | null): void {
  element?.focus({ preventScroll: true });
}

/** Arrow keys go from entry to entry. */
function walk(event: KeyboardEvent<HTMLOListElement>): void {
  const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  const entries = [...event.currentTarget.querySelectorAll("summary")];
  const at = entries.indexOf(event.target as HTMLElement);
  if (by === 0 || at === -1) return;
  event.preventDefault();
  event.stopPropagation();
  entries[at + by]?.focus();
}

/** Nodes as one reads them: from left to right, then downwards. */
function ordered(nodes: readonly GraphNode[]): readonly GraphNode[] {
  return [...nodes].sort((a, b) => a.position[0] - b.position[0] || a.position[1] - b.position[1]);
}

/** Wiring by keyboard: from a socket, a list of all that it fits, and of what it is linked to. */

import { Dialog } from "radix-ui";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { GRAPH_INPUT, GRAPH_OUTPUT, linksInto, linksOutOf, type Workflow } from "../model/document";
import { leadsTo } from "../model/edits";
import { matchScore, plain } from "../model/search";
import { accepts } from "../model/sockets";
import { shapeAt } from "../nodes/shapes";
import { inputLabel, type Language, nodeTitle, useLanguage } from "../nodes/texts";
import { activeGraph, activeGraphId, activeTab, useWorkspace } from "../state/workspace";
import { type Ends, link } from "./linking";
import { camera, type LooseEnd, show, useView } from "./view";

export function WiringList() {
  const wiring = useView((view) => view.wiring);
  return wiring === null ? null : <List end={wiring} />;
}

interface Offer {
  readonly key: string;
  readonly text: string;
  readonly ends: Ends;
}

function List({ end }: { readonly end: LooseEnd }) {
  const { t } = useTranslation();
  const language = useLanguage();
  const [words, setWords] = useState("");
  const graph = useWorkspace(activeGraph);
  const wanted = plain(words);
  const offers = offersFor(end, language, activeTab()?.workflow).filter(
    (offer) => wanted === "" || matchScore(plain(offer.text), wanted) !== null,
  );
  const linked =
    "from" in end
      ? linksOutOf(graph, end.from.node).filter((one) => one.fromSlot === end.from.place)
      : linksInto(graph, end.to.node, end.to.name);
  const close = () => show({ wiring: null });
  return (
    <Dialog.Root open onOpenChange={(open) => open || close()}>
      <Dialog.Portal>
        <Dialog.Overlay className="veil" />
        <Dialog.Content className="dialog wiring" aria-describedby={undefined}>
          <Dialog.Title asChild>
            <h2>{t("canvas.linkTo", { type: end.type })}</h2>
          </Dialog.Title>
          <input
            className="field"
            type="search"
            aria-label={t("canvas.searchSockets")}
            placeholder={t("canvas.searchSockets")}
            value={words}
            onChange={(event) => setWords(event.target.value)}
          />
          <div className="wiring-list">
            {offers.map((offer) => (
              <button
                key={offer.key}
                type="button"
                className="menu-item"
                onClick={() => {
                  link(offer.ends);
                  close();
                }}
              >
                {offer.text}
              </button>
            ))}
            {offers.length === 0 && <p className="hint">{t("canvas.nothingFits")}</p>}
          </div>
          <div className="dialog-actions">
            {linked.length > 0 && (
              <button
                type="button"
                className="button danger"
                onClick={() => {
                  const links = linked.map((one) => one.id);
                  useWorkspace.getState().apply({ kind: "remove", graph: activeGraphId(), links });
                  close();
                }}
              >
                {t("canvas.unlink", { count: linked.length })}
              </button>
            )}
            <button
              type="button"
              className="button"
              onClick={() => {
                close();
                const at = camera.current?.centre() ?? [0, 0];
                const screen = camera.current?.toScreen(at) ?? [200, 200];
                show({ search: { at, screen, link: end, replaces: null } });
              }}
            >
              {t("canvas.newNode")}
            </button>
            <Dialog.Close className="button">{t("canvas.cancel")}</Dialog.Close>
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function offersFor(
  end: LooseEnd,
  language: Language,
  workflow: Workflow | undefined,
): readonly Offer[] {
  const graph = activeGraph();
  const own = "from" in end ? end.from.node : end.to.node;
  const nodes = [...graph.nodes.values()].filter((node) => {
    if (node.id === own) return false;
    return "from" in end ? !leadsTo(graph, node.id, own) : !leadsTo(graph, own, node.id);
  });
  const inner = nodes.flatMap((node) => {
    const shape = shapeAt(useWorkspace.getState(), node.id);
    if (shape === undefined) return [];
    const title = `${nodeTitle(node, shape, workflow, language)} #${node.id}`;
    if ("from" in end) {
      return [...shape.sockets, ...shape.widgets]
        .filter((input) => accepts(input.type, end.type))
        .map((input) => ({
          key: `${node.id} ${input.name}`,
          text: `${title} · ${inputLabel(input)}`,
          ends: { from: end.from, to: { node: node.id, name: input.name } },
        }));
    }
    return shape.outputs.flatMap((output, place) =>
      accepts(end.type, output.type)
        ? [
            {
              key: `${node.id} ${place}`,
              text: `${title} · ${output.label ?? output.name}`,
              ends: { from: { node: node.id, place }, to: end.to },
            },
          ]
        : [],
    );
  });
  return [...inner, ...boundaryOffers(end, workflow)];
}

/** The sockets at the edge of the subgraph in which one stands. */
function boundaryOffers(end: LooseEnd, workflow: Workflow | undefined): readonly Offer[] {
  const subgraph = workflow?.subgraphs.get(activeGraphId());
  if (subgraph === undefined) return [];
  if ("from" in end) {
    return subgraph.outputs
      .filter((slot) => accepts(slot.type, end.type))
      .map((slot) => ({
        key: `out ${slot.name}`,
        text: `→ ${slot.name}`,
        ends: { from: end.from, to: { node: GRAPH_OUTPUT, name: slot.name } },
      }));
  }
  return subgraph.inputs.flatMap((slot, place) =>
    accepts(end.type, slot.type)
      ? [
          {
            key: `in ${slot.name}`,
            text: `${slot.name} →`,
            ends: { from: { node: GRAPH_INPUT, place }, to: end.to },
          },
        ]
      : [],
  );
}

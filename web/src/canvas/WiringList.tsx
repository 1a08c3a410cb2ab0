/** Wiring by keyboard: from a socket, a list of all that it fits, and of what it is linked to. */

import { Dialog } from "radix-ui";
import { type KeyboardEvent, useRef, useState } from "react";
import { type Language, useTranslation } from "../i18n";
import { GRAPH_INPUT, GRAPH_OUTPUT, linksInto, linksOutOf, type Workflow } from "../model/document";
import { type LooseEnd, leadsTo } from "../model/edits";
import { matchScore, plain } from "../model/search";
import { slotLabel } from "../model/shape";
import { accepts } from "../model/sockets";
import { shapeAt } from "../nodes/shapes";
import { inputLabel, nodeTitle, useLanguage } from "../nodes/texts";
import { intoView } from "../panels/intoView";
import { useReturnFocus } from "../panels/useReturnFocus";
import { activeGraph, activeGraphId, activeTab, useWorkspace } from "../state/workspace";
import { placeBeside, searchPlace } from "./actions";
import { type Ends, link } from "./linking";
import { type Search, show, useView } from "./view";

export function WiringList() {
  const wiring = useView((view) => view.wiring);
  return wiring === null ? null : <List end={wiring} />;
}

interface Offer {
  readonly key: string;
  readonly text: string;
  /** Whether both ends are of one type; those come first. */
  readonly exact: boolean;
  readonly ends: Ends;
}

function List({ end }: { readonly end: LooseEnd }) {
  const { t } = useTranslation();
  const language = useLanguage();
  const [words, setWords] = useState("");
  const [at, setAt] = useState(0);
  const returnFocus = useReturnFocus();
  const search = useRef<Search | null>(null);
  // The search takes the focus; it comes when this dialog has let go of it.
  const onClosed = (event: Event) => {
    if (search.current === null) returnFocus(event);
    else {
      event.preventDefault();
      show({ search: search.current });
    }
  };
  const graph = useWorkspace(activeGraph);
  const wanted = plain(words);
  const offers = offersFor(end, language, activeTab()?.workflow).filter(
    (offer) => wanted === "" || matchScore(plain(offer.text), wanted) !== null,
  );
  const chosen = Math.min(at, Math.max(0, offers.length - 1));
  const linked =
    "from" in end
      ? linksOutOf(graph, end.from.node).filter((one) => one.fromSlot === end.from.place)
      : linksInto(graph, end.to.node, end.to.name);
  const close = () => show({ wiring: null });
  const choose = ({ ends }: Offer) => {
    link(ends);
    close();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const offer = offers[chosen];
    if (step !== 0) setAt((chosen + step + offers.length) % Math.max(1, offers.length));
    else if (event.key === "Enter" && offer !== undefined) choose(offer);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog.Root open onOpenChange={(open) => open || close()}>
      <Dialog.Portal>
        <Dialog.Overlay className="veil" />
        <Dialog.Content
          className="dialog wiring"
          aria-describedby={undefined}
          onCloseAutoFocus={onClosed}
        >
          <Dialog.Title asChild>
            <h2>{t(`canvas.link${"from" in end ? "To" : "From"}`, { type: end.type })}</h2>
          </Dialog.Title>
          <input
            className="field"
            type="search"
            role="combobox"
            aria-expanded="true"
            aria-controls="wiring-list"
            aria-activedescendant={offers[chosen] === undefined ? undefined : `wiring-${chosen}`}
            aria-label={t("canvas.searchSockets")}
            placeholder={t("canvas.searchSockets")}
            value={words}
            onChange={(event) => {
              setWords(event.target.value);
              setAt(0);
            }}
            onKeyDown={onKeyDown}
          />
          <div
            id="wiring-list"
            className="wiring-list"
            role="listbox"
            aria-label={t("canvas.searchSockets")}
          >
            {offers.map((offer, place) => (
              // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the search field's.
              <div
                key={offer.key}
                id={`wiring-${place}`}
                role="option"
                tabIndex={-1}
                aria-selected={place === chosen}
                className="menu-item"
                ref={place === chosen ? intoView : undefined}
                onClick={() => choose(offer)}
              >
                {offer.text}
              </div>
            ))}
          </div>
          {offers.length === 0 && <p className="hint">{t("canvas.nothingFits")}</p>}
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
                search.current = searchFor(end);
                close();
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

/** The search for a new node at a loose end. */
function searchFor(link: LooseEnd): Search {
  const at = "from" in link ? placeBeside(link.from.node) : placeBeside(link.to.node, "left");
  return { at, screen: searchPlace(), link, yields: true };
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
          exact: input.type === end.type,
          ends: { from: end.from, to: { node: node.id, name: input.name } },
        }));
    }
    return shape.outputs.flatMap((output, place) =>
      accepts(end.type, output.type)
        ? [
            {
              key: `${node.id} ${place}`,
              text: `${title} · ${output.label ?? output.name}`,
              exact: output.type === end.type,
              ends: { from: { node: node.id, place }, to: end.to },
            },
          ]
        : [],
    );
  });
  const offers = [...inner, ...boundaryOffers(end, workflow)];
  return [...offers.filter((one) => one.exact), ...offers.filter((one) => !one.exact)];
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
        text: `→ ${slotLabel(slot)}`,
        exact: slot.type === end.type,
        ends: { from: end.from, to: { node: GRAPH_OUTPUT, name: slot.name } },
      }));
  }
  return subgraph.inputs.flatMap((slot, place) =>
    accepts(end.type, slot.type)
      ? [
          {
            key: `in ${slot.name}`,
            text: `${slotLabel(slot)} →`,
            exact: slot.type === end.type,
            ends: { from: { node: GRAPH_INPUT, place }, to: end.to },
          },
        ]
      : [],
  );
}

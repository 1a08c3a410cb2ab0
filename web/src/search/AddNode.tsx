/** The search for a node to add: words in both languages; from a link only what fits it. */

import { useEffect, useMemo, useRef, useState } from "react";
import { addFound } from "../canvas/actions";
import { type Search, show, useView } from "../canvas/view";
import { useTranslation } from "../i18n";
import { endsOf, inputType, outputType } from "../model/edits";
import { type Fitting, findTypes } from "../model/search";
import type { NodeTypes } from "../model/shape";
import { ANY, socketLook } from "../model/sockets";
import { useTypes } from "../nodes/shapes";
import { typeTitle, useLanguage } from "../nodes/texts";
import { intoView } from "../panels/intoView";
import type { NodeInfo } from "../protocol/generated";
import { activeGraph, activeGraphId, activeTab } from "../state/workspace";

const MOST_SHOWN = 80;
const WIDTH = 360;
const HEIGHT = 380;

export function AddNode() {
  const search = useView((view) => view.search);
  return search === null ? null : <Dialog search={search} key={search.at.join()} />;
}

function Dialog({ search }: { readonly search: Search }) {
  const { t } = useTranslation();
  const language = useLanguage();
  const types = useTypes();
  const [words, setWords] = useState("");
  const [at, setAt] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const fittings = useMemo(() => fittingsOf(search, types), [search, types]);
  const found = useMemo(
    () => findTypes(types.values(), words, language, fittings).slice(0, MOST_SHOWN),
    [types, words, language, fittings],
  );
  const chosen = Math.min(at, Math.max(0, found.length - 1));
  useEffect(() => {
    const onPointer = (event: PointerEvent) => {
      if (event.target instanceof Node && !box.current?.contains(event.target)) close();
    };
    window.addEventListener("pointerdown", onPointer, true);
    return () => window.removeEventListener("pointerdown", onPointer, true);
  }, []);
  const add = (info: NodeInfo) => {
    addFound(info, search);
    close();
    focusSelected();
  };
  const [x, y] = search.screen;
  const style = {
    left: Math.max(8, Math.min(x, window.innerWidth - WIDTH - 8)),
    top: Math.max(8, Math.min(y, window.innerHeight - HEIGHT - 8)),
    width: WIDTH,
  };
  const title = t(
    search.replaces !== undefined
      ? "canvas.replaceWith"
      : fittings.length === 0
        ? "canvas.addNode"
        : "canvas.addFitting",
    { type: fittings.map((one) => one.type).join(" → ") },
  );
  return (
    <div ref={box} className="floating add-node" role="dialog" aria-label={title} style={style}>
      <input
        // biome-ignore lint/a11y/noAutofocus: the search was opened to type in it.
        autoFocus
        className="field"
        type="search"
        role="combobox"
        aria-expanded="true"
        aria-controls="add-node-list"
        aria-activedescendant={found[chosen] === undefined ? undefined : `add-node-${chosen}`}
        aria-label={title}
        placeholder={title}
        value={words}
        onChange={(event) => {
          setWords(event.target.value);
          setAt(0);
        }}
        onKeyDown={(event) => {
          // Enter and arrows belong to the input method while it composes.
          if (event.nativeEvent.isComposing) return;
          event.stopPropagation();
          const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
          const info = found[chosen]?.info;
          if (step !== 0) setAt((chosen + step + found.length) % Math.max(1, found.length));
          else if (event.key === "Enter" && info !== undefined) add(info);
          else if (event.key === "Escape" || event.key === "Tab") {
            close();
            document.querySelector<HTMLElement>(".canvas")?.focus();
          } else return;
          event.preventDefault();
        }}
      />
      <div id="add-node-list" className="add-node-list" role="listbox" aria-label={title}>
        {found.map(({ info }, place) => (
          <Item
            key={info.id}
            info={info}
            place={place}
            chosen={place === chosen}
            choose={() => add(info)}
          />
        ))}
        {found.length === 0 && <p className="hint">{t("canvas.nothingFound")}</p>}
      </div>
    </div>
  );
}

interface ItemProps {
  readonly info: NodeInfo;
  readonly place: number;
  readonly chosen: boolean;
  readonly choose: () => void;
}

function Item({ info, place, chosen, choose }: ItemProps) {
  const language = useLanguage();
  const texts = info.texts[language];
  const color = socketLook(info.outputs[0]?.type ?? "*").color;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the search field's.
    <div
      id={`add-node-${place}`}
      role="option"
      tabIndex={-1}
      aria-selected={chosen}
      className="menu-item"
      title={texts.description}
      ref={chosen ? intoView : undefined}
      onClick={choose}
    >
      <span className="node-dot" style={{ background: color }} aria-hidden="true" />
      <span className="add-node-title">{typeTitle(info, language)}</span>
      <span className="hint">{texts.category}</span>
    </div>
  );
}

/** What the new node must take and give: one end, or both ends of a link. */
function fittingsOf({ link, into }: Search, types: NodeTypes): readonly Fitting[] {
  if (link !== undefined) return [{ type: link.type, needs: "from" in link ? "input" : "output" }];
  const tab = activeTab();
  const parted = activeGraph().links.get(into ?? "");
  if (tab === undefined || parted === undefined) return [];
  const { from, to } = endsOf(tab.workflow, activeGraphId(), parted);
  return [
    { type: outputType(tab.workflow, activeGraphId(), types, from) ?? ANY, needs: "input" },
    { type: inputType(tab.workflow, activeGraphId(), types, to) ?? ANY, needs: "output" },
  ];
}

function close(): void {
  show({ search: null });
}

function focusSelected(): void {
  const [id] = activeTab()?.selection ?? [];
  requestAnimationFrame(() => {
    const node = document.querySelector<HTMLElement>(
      `.react-flow__node[data-id="${CSS.escape(id ?? "")}"]`,
    );
    (node ?? document.querySelector<HTMLElement>(".canvas"))?.focus({ preventScroll: true });
  });
}

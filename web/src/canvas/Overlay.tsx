/** What lies over the canvas: where one stands, tools, and what is said at its foot. */

import { useEffect, useState } from "react";
import { useStore } from "zustand";
import { allCommands } from "../commands/all";
import { shortcutsOf, shortcutText } from "../commands/keys";
import { useTranslation } from "../i18n";
import { graphOf, TOP } from "../model/document";
import { Icon } from "../panels/Icon";
import { activeTab, useWorkspace } from "../state/workspace";
import { useView } from "./view";

export function Breadcrumb() {
  const { t } = useTranslation();
  const tab = useWorkspace((state) => {
    const active = activeTab(state);
    return active === undefined || active.path.length === 0 ? undefined : active;
  });
  const leaveTo = useWorkspace((state) => state.leaveTo);
  if (tab === undefined) return null;
  let graph = TOP;
  const names = tab.path.map((instance) => {
    const node = graphOf(tab.workflow, graph).nodes.get(instance);
    graph = node?.type ?? TOP;
    return node?.title ?? tab.workflow.subgraphs.get(graph)?.name ?? instance;
  });
  return (
    <nav className="breadcrumb floating" aria-label={t("canvas.path")}>
      {[tab.name, ...names].map((name, depth) => (
        <span key={tab.path.slice(0, depth).join(":")}>
          {depth > 0 && <span aria-hidden="true">›</span>}
          <button
            type="button"
            className="button quiet"
            disabled={depth === names.length}
            aria-current={depth === names.length ? "location" : undefined}
            onClick={() => leaveTo(depth)}
          >
            {name}
          </button>
        </span>
      ))}
    </nav>
  );
}

const TOOLS = [
  ["node.add", "plus"],
  ["view.fit", "fit"],
  ["view.zoomIn", "zoomIn"],
  ["view.zoomOut", "zoomOut"],
  ["view.snap", "grid"],
  ["view.lock", "lock"],
  ["view.minimap", "map"],
  ["view.outline", "outline"],
] as const;

export function Tools() {
  const { t } = useTranslation();
  const view = useStore(useView);
  const pressed: { readonly [id: string]: boolean } = {
    "view.snap": view.snap,
    "view.lock": view.locked,
    "view.minimap": view.minimap,
    "view.outline": view.outline,
  };
  return (
    <div className="tools floating" role="toolbar" aria-label={t("canvas.tools")}>
      {TOOLS.map(([id, icon]) => {
        const command = allCommands.find((one) => one.id === id);
        if (command === undefined) return null;
        const [key] = shortcutsOf(command);
        const label = t(command.label);
        return (
          <button
            key={id}
            type="button"
            className="button quiet icon"
            aria-label={label}
            title={key === undefined ? label : `${label} (${shortcutText(key)})`}
            aria-pressed={pressed[id]}
            onClick={() => void command.run()}
          >
            <Icon name={icon} />
          </button>
        );
      })}
    </div>
  );
}

const SHOWN_MS = 6000;

export function Notice() {
  const notice = useView((view) => view.notice);
  const [hidden, setHidden] = useState(0);
  useEffect(() => {
    if (notice === null) return;
    const timer = setTimeout(() => setHidden(notice.turn), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [notice]);
  const shown = notice !== null && notice.turn !== hidden;
  return (
    <div className="notice-place" role="status" aria-live="polite">
      {shown && <p className="floating notice">{notice.text}</p>}
    </div>
  );
}

/** What an empty canvas says. */
export function EmptyHint() {
  const { t } = useTranslation();
  const empty = useWorkspace((state) => {
    const tab = activeTab(state);
    return tab !== undefined && tab.path.length === 0 && tab.workflow.top.nodes.size === 0;
  });
  if (!empty) return null;
  return <p className="empty-hint">{t("canvas.empty")}</p>;
}

/** The page: tabs and Run at the top, panels beside the canvas, dialogs over it. */

import "./app.css";
import { useEffect, useLayoutEffect } from "react";
import { Canvas } from "./canvas/Canvas";
import { ContextMenu } from "./canvas/ContextMenu";
import { startClipboard } from "./canvas/clipboard";
import { openSearch } from "./canvas/commands";
import { Breadcrumb, EmptyHint, Notice, Tools } from "./canvas/Overlay";
import { WiringList } from "./canvas/WiringList";
import { allCommands } from "./commands/all";
import { callByKey } from "./commands/keys";
import { useTranslation } from "./i18n";
import { Outline } from "./outline/Outline";
import {
  ConnectionNotice,
  FirstHint,
  LeftPanels,
  Overlays,
  run as runHere,
  SidePanel,
} from "./panels";
import { Icon } from "./panels/Icon";
import { usePanels } from "./panels/open";
import { stopActive } from "./panels/queue/actions";
import { AddNode } from "./search/AddNode";
import { useRun, useServer } from "./state/server";
import { SavingDialogs } from "./tabs/SavingDialogs";
import { TabBar } from "./tabs/TabBar";
import { MaskEditor } from "./widgets/MaskEditor";

export function App() {
  useKeys();
  useEffect(startClipboard, []);
  const { t } = useTranslation();
  return (
    <div className="app">
      <header className="top-bar">
        <span className="brand">graphengine</span>
        <TabBar />
        <RunButtons />
      </header>
      <ConnectionNotice />
      <div className="app-body">
        <LeftPanels />
        <main className="app-main" aria-label={t("app.main")}>
          <Canvas />
          <Breadcrumb />
          <Tools />
          <EmptyHint />
          <FirstHint />
          <Outline />
          <Notice />
        </main>
        <SidePanel />
      </div>
      <Overlays />
      <AddNode />
      <ContextMenu />
      <WiringList />
      <MaskEditor />
      <SavingDialogs />
    </div>
  );
}

function RunButtons() {
  const { t } = useTranslation();
  const run = useRun();
  const busy = run?.status === "running" || run?.status === "queued";
  const count = useServer((state) => state.queue.running.length + state.queue.queued.length);
  const away = useServer((state) => state.connection === "lost");
  const side = usePanels((state) => state.side);
  return (
    <div className="top-actions">
      {count > 0 && (
        <span className="queue-count" title={t("app.queued", { count })}>
          {count}
        </span>
      )}
      {busy && (
        <button type="button" className="button" onClick={() => void stopActive()}>
          {t("app.stop")}
        </button>
      )}
      <button
        type="button"
        className="button primary"
        disabled={away}
        title={t("app.runTitle")}
        onClick={() => void runHere()}
      >
        <Icon name="play" /> {t("app.run")}
      </button>
      <button
        type="button"
        className="button quiet icon"
        aria-pressed={side}
        aria-label={t("commands.settings")}
        title={t("commands.settings")}
        onClick={() => usePanels.getState().toggleSide()}
      >
        <Icon name="panel" />
      </button>
    </div>
  );
}

function isDialogOpen(): boolean {
  return document.querySelector("[role=dialog][data-state=open]") !== null;
}

/** Keys call commands wherever the focus is; Tab searches while the canvas itself has the focus. */
function useKeys(): void {
  // Before the page is shown: a key pressed the moment it appears counts.
  useLayoutEffect(() => {
    let byPointer = false;
    const onPointer = () => {
      byPointer = true;
    };
    const onKey = (event: KeyboardEvent) => {
      const onCanvas = event.target instanceof Element && event.target.classList.contains("canvas");
      if (event.key === "Tab" && !event.shiftKey && onCanvas && byPointer && !event.isComposing) {
        event.preventDefault();
        openSearch();
        return;
      }
      if (event.key === "Tab") byPointer = false;
      callByKey(event, allCommands, isDialogOpen);
    };
    window.addEventListener("pointerdown", onPointer, true);
    window.addEventListener("keydown", onKey);
    return () => {
      window.removeEventListener("pointerdown", onPointer, true);
      window.removeEventListener("keydown", onKey);
    };
  }, []);
}

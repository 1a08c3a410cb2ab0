import { useEffect, useState } from "react";
import { isTyping } from "../../commands/keys";
import { useTranslation } from "../../i18n";
import { usePanels } from "../open";
import { openFiles, openText, openTransfer, openUrl } from "./opening";

/** Takes whatever is dropped on the window, unless something in it wants it. */
export function DropTarget() {
  const { t } = useTranslation();
  const [over, setOver] = useState(false);
  useEffect(() => {
    let depth = 0;
    const carriesFile = (event: DragEvent) =>
      event.dataTransfer?.types.some((type) => type === "Files" || type === "text/uri-list") ??
      false;
    const enter = (event: DragEvent) => {
      if (!carriesFile(event)) return;
      depth += 1;
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (!carriesFile(event)) return;
      depth = Math.max(0, depth - 1);
      if (depth === 0) setOver(false);
    };
    const move = (event: DragEvent) => {
      if (carriesFile(event)) event.preventDefault();
    };
    const drop = (event: DragEvent) => {
      depth = 0;
      setOver(false);
      if (event.defaultPrevented || !carriesFile(event) || event.dataTransfer === null) return;
      event.preventDefault();
      void openTransfer(event.dataTransfer);
    };
    const paste = (event: ClipboardEvent) => {
      const { clipboardData: data } = event;
      if (event.defaultPrevented || data === null || isTyping(event.target)) return;
      if (data.files.length > 0) void openFiles([...data.files]);
      else if (!openText(data.getData("text/plain"))) return;
      event.preventDefault();
    };
    const listeners = { dragenter: enter, dragleave: leave, dragover: move, drop, paste };
    for (const [type, listener] of Object.entries(listeners)) {
      window.addEventListener(type, listener as EventListener);
    }
    return () => {
      for (const [type, listener] of Object.entries(listeners)) {
        window.removeEventListener(type, listener as EventListener);
      }
    };
  }, []);
  return over ? (
    <div className="drop-veil" aria-hidden="true">
      <p>{t("opening.drop")}</p>
    </div>
  ) : null;
}

/** The address in `?open=…` of the page, once; what lies elsewhere only if the person says so. */
export function openFromAddress(): void {
  const wanted = new URLSearchParams(location.search).get("open");
  if (wanted === null) return;
  history.replaceState(null, "", location.pathname);
  if (isHere(wanted)) void openUrl(wanted);
  else usePanels.getState().show({ kind: "address", address: wanted });
}

function isHere(address: string): boolean {
  if (!URL.canParse(address, location.href)) return false;
  return new URL(address, location.href).origin === location.origin;
}

/** Copy, cut and paste by the browser's own events, so that it works between windows. */

import i18next from "i18next";
import { isTyping } from "../commands/keys";
import { isCopied } from "../model/clipboard";
import { copySelected, pasteText, removeSelected } from "./actions";
import { say } from "./view";

/** Listen to the page's clipboard; the returned function ends it. */
export function startClipboard(): () => void {
  let shift = false;
  const onKey = (event: KeyboardEvent) => {
    shift = event.shiftKey;
  };
  const onCopy = (event: ClipboardEvent) => {
    const text = ofCanvas(event.target) ? copySelected() : null;
    if (text === null) return;
    event.preventDefault();
    event.clipboardData?.setData("text/plain", text);
    if (event.type === "cut") removeSelected();
  };
  const onPaste = (event: ClipboardEvent) => {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (!ofCanvas(event.target) || !isCopied(text)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    pasteText(text, shift);
  };
  window.addEventListener("keydown", onKey, true);
  document.addEventListener("copy", onCopy);
  document.addEventListener("cut", onCopy);
  document.addEventListener("paste", onPaste, true);
  return () => {
    window.removeEventListener("keydown", onKey, true);
    document.removeEventListener("copy", onCopy);
    document.removeEventListener("cut", onCopy);
    document.removeEventListener("paste", onPaste, true);
  };
}

/** Paste what the clipboard holds, from a menu. */
export async function pasteFromMenu(withOuterLinks: boolean): Promise<void> {
  try {
    if (pasteText(await navigator.clipboard.readText(), withOuterLinks)) return;
    say(i18next.t("canvas.nothingToPaste"));
  } catch {
    say(i18next.t("canvas.pasteByKeys"));
  }
}

function ofCanvas(target: EventTarget | null): boolean {
  const selected = document.getSelection()?.toString() ?? "";
  return !isTyping(target) && selected === "";
}

/** Opening workflows: from files, pictures, texts and addresses. */

import i18next from "i18next";
import { ApiError } from "../../api/http";
import * as routes from "../../api/routes";
import { addWith } from "../../canvas/actions";
import type { Json } from "../../model/json";
import { parseNative } from "../../model/native";
import type { OpenedAnswer } from "../../protocol/generated";
import { refreshNodes, useServer } from "../../state/server";
import { type OpenOptions, useWorkspace } from "../../state/workspace";
import { attempt, type NoticeAction, tell } from "../notices/notices";
import { usePanels } from "../open";

/** Open files one after the other, each in a tab of its own. */
export async function openFiles(files: Iterable<File>): Promise<void> {
  for (const file of files) await openBlob(file, file.name);
}

/** Open what a file or picture holds; the tab's id, or undefined if there is no workflow in it. */
export async function openBlob(blob: Blob, name: string): Promise<string | undefined> {
  const opened = await attempt(routes.openFile(blob, name), (error) =>
    asPicture(error, blob, name),
  );
  return opened === undefined ? undefined : showOpened(opened);
}

/** What can be done with a picture that carries no workflow: have it loaded by a node. */
function asPicture(error: unknown, blob: Blob, name: string): NoticeAction | undefined {
  const { nodes } = useServer.getState();
  const loads = nodes.get("LoadImage");
  const plain = error instanceof ApiError && error.code === "nothing_carried";
  if (!plain || !blob.type.startsWith("image/") || loads === undefined) return undefined;
  const load = async () => {
    const image = await routes.uploadImage(new File([blob], name, { type: blob.type }));
    addWith(loads, { image });
    await refreshNodes();
  };
  return { text: i18next.t("opening.loadPicture"), run: () => void attempt(load()) };
}

/** Open text that was pasted, if it looks like a workflow or a picture's settings; whether it did. */
export function openText(text: string): boolean {
  if (!looksLikeWorkflow(text)) return false;
  void openBlob(new Blob([text], { type: "text/plain" }), i18next.t("opening.pasted"));
  return true;
}

/** Whether pasted text is worth asking the server about. */
export function looksLikeWorkflow(text: string): boolean {
  const start = text.slice(0, 100_000);
  if (/^\s*\{/.test(start)) return /"(nodes|class_type|format)"/.test(start);
  return /^Steps: \d+/m.test(start) && /Seed: \d+/.test(start);
}

/** Open what an address leads to: here directly, elsewhere in the web by way of the server. */
export async function openUrl(address: string): Promise<string | undefined> {
  const url = URL.canParse(address, location.href) ? new URL(address, location.href) : null;
  if (url === null || url.origin !== location.origin) {
    const opened = await attempt(routes.openAddress(url?.href ?? address));
    return opened === undefined ? undefined : showOpened(opened);
  }
  const found = await attempt(download(url));
  if (found === undefined) return undefined;
  return openBlob(found, url.searchParams.get("filename") ?? nameIn(url));
}

function nameIn(url: URL): string {
  const last = url.pathname.split("/").at(-1) ?? "";
  try {
    return decodeURIComponent(last) || url.href;
  } catch {
    return last;
  }
}

async function download(url: URL): Promise<Blob> {
  try {
    const response = await fetch(url);
    if (response.ok) return await response.blob();
  } catch {
    // Told below: a browser does not say why something could not be read.
  }
  const both = (lng: string) => i18next.t("opening.notReachable", { lng, address: url.href });
  throw new ApiError(0, "not_reachable", { en: both("en"), ja: both("ja") });
}

/** Put an opened workflow into a tab, and tell what is missing or was changed. */
export function showOpened(
  opened: OpenedAnswer,
  name = opened.name,
  options: OpenOptions = {},
): string {
  const workflow = parseNative(opened.document as unknown as Json);
  const tab = useWorkspace.getState().open(workflow, name, options);
  const missing = opened.missing_nodes.length + opened.missing_models.length;
  if (missing > 0) usePanels.getState().show({ kind: "missing", tab, opened });
  else if (opened.notes.length > 0) {
    tell(i18next.t("opening.changed", { number: opened.notes.length }), "plain", {
      text: i18next.t("opening.showChanges"),
      run: () => usePanels.getState().show({ kind: "missing", tab, opened }),
    });
  }
  return tab;
}

/** Ask the person for files. */
export function chooseFiles(): void {
  const input = document.createElement("input");
  input.type = "file";
  input.multiple = true;
  input.accept = ".json,.png,.webp,.jpg,.jpeg,.txt,.latent,.safetensors,.gif,.mp4,.webm";
  input.hidden = true;
  input.onchange = () => {
    input.remove();
    void openFiles(input.files ?? []);
  };
  input.oncancel = () => input.remove();
  // Outside the document it might be cleared away before a file is chosen.
  document.body.append(input);
  input.click();
}

/** What another program said when it started the drag: files, an address, or text. */
export async function openTransfer(data: DataTransfer): Promise<void> {
  if (data.files.length > 0) return openFiles([...data.files]);
  const address = data.getData("text/uri-list").split("\n")[0]?.trim();
  if (address) {
    await openUrl(address);
    return;
  }
  const text = data.getData("text/plain");
  if (text !== "" && !openText(text)) tell(i18next.t("opening.nothing"), "bad");
}

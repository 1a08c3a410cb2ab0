/** Drafts: what is not saved is kept on the server, and in the browser while the server is away. */

import * as routes from "../api/routes";
import { type Json, parseJson, writeJson } from "../model/json";
import { parseNative, toNative } from "../model/native";
import type { DraftBody } from "../protocol/generated";
import { documentIn } from "./saving";
import { isUnsaved, type Tab, type TabId, useWorkspace } from "./workspace";

const AFTER_MS = 1200;
const AGAIN_MS = 8000;
const LOCAL = "graphengine.draft.";
const OPEN = "graphengine.tabs";
/** Browsers keep about 5 MB; larger drafts wait for the server. */
const MOST_LOCAL = 2_000_000;

/** Keep drafts of all tabs from now on; the returned function ends it. */
export function startDrafts(): () => void {
  const timers = new Map<TabId, ReturnType<typeof setTimeout>>();
  const later = (id: TabId, after: number) => {
    clearTimeout(timers.get(id));
    timers.set(
      id,
      setTimeout(() => void keep(id).catch(() => later(id, AGAIN_MS)), after),
    );
  };
  const stop = useWorkspace.subscribe((state, before) => {
    if (state.tabs === before.tabs && state.active === before.active) return;
    rememberTabs(state.tabs, state.active);
    for (const tab of state.tabs) {
      const earlier = before.tabs.find((one) => one.id === tab.id);
      const changed =
        earlier !== undefined &&
        (earlier.workflow !== tab.workflow ||
          earlier.savedWorkflow !== tab.savedWorkflow ||
          earlier.name !== tab.name);
      if (changed) later(tab.id, AFTER_MS);
    }
    for (const tab of before.tabs) {
      if (state.tabs.some((one) => one.id === tab.id)) continue;
      clearTimeout(timers.get(tab.id));
      void forget(tab.id);
    }
  });
  const flush = () => {
    for (const tab of useWorkspace.getState().tabs) if (isUnsaved(tab)) keepLocally(tab);
  };
  window.addEventListener("pagehide", flush);
  return () => {
    stop();
    window.removeEventListener("pagehide", flush);
    for (const timer of timers.values()) clearTimeout(timer);
  };
}

/** Open the tabs of the last visit again; whether there were any. */
export async function restoreTabs(): Promise<boolean> {
  const { tabs, active } = rememberedTabs();
  let found = false;
  for (const { id, name } of tabs) {
    const body = localDraft(id) ?? (await serverDraft(id));
    if (body !== null) {
      const savedAs =
        body.workflow && body.base_etag ? { name: body.workflow, etag: body.base_etag } : undefined;
      const options = { draft: id, ...(savedAs === undefined ? {} : { savedAs }) };
      useWorkspace.getState().open(parseNative(body.document as Json), body.name, options);
      found = true;
    } else if (name !== null) found = (await reopened(name)) || found;
  }
  if (found) useWorkspace.getState().activate(active);
  return found;
}

/** A saved workflow opened again under its name. */
async function reopened(name: string): Promise<boolean> {
  try {
    const { data, etag } = await routes.getWorkflow(name);
    const savedAs = { name, etag: etag ?? "" };
    useWorkspace.getState().open(parseNative(documentIn(data)), name, { savedAs });
    return true;
  } catch {
    return false;
  }
}

async function keep(id: TabId): Promise<void> {
  const tab = useWorkspace.getState().tabs.find((one) => one.id === id);
  if (tab === undefined) return;
  if (!isUnsaved(tab)) return forget(id);
  keepLocally(tab);
  await routes.putDraft(id, bodyOf(tab));
  const now = useWorkspace.getState().tabs.find((one) => one.id === id);
  if (now?.workflow === tab.workflow) localStorage.removeItem(LOCAL + id);
}

async function forget(id: TabId): Promise<void> {
  localStorage.removeItem(LOCAL + id);
  await routes.deleteDraft(id).catch(() => {});
}

function keepLocally(tab: Tab): void {
  const text = writeJson(bodyOf(tab));
  if (text.length > MOST_LOCAL) return;
  try {
    localStorage.setItem(LOCAL + tab.id, text);
  } catch {
    // The browser's storage is full: the server has the draft, or gets it at the next try.
  }
}

function bodyOf(tab: Tab): DraftBody {
  return {
    name: tab.name,
    document: toNative(tab.workflow) as unknown as DraftBody["document"],
    workflow: tab.savedAs?.name ?? null,
    base_etag: tab.savedAs?.etag ?? null,
  };
}

function localDraft(id: TabId): DraftBody | null {
  const text = localStorage.getItem(LOCAL + id);
  try {
    return text === null ? null : (parseJson(text) as unknown as DraftBody);
  } catch {
    return null;
  }
}

async function serverDraft(id: TabId): Promise<DraftBody | null> {
  try {
    return await routes.getDraft(id);
  } catch {
    return null;
  }
}

interface Remembered {
  readonly id: TabId;
  /** The saved workflow in it, if it is one. */
  readonly name: string | null;
}

function rememberTabs(tabs: readonly Tab[], active: TabId): void {
  const listed = tabs.map((tab): Remembered => ({ id: tab.id, name: tab.savedAs?.name ?? null }));
  const text = JSON.stringify({ tabs: listed, active });
  sessionStorage.setItem(OPEN, text);
  localStorage.setItem(OPEN, text);
}

/** This window's tabs after a reload; in a new window those of the last one. */
function rememberedTabs(): { tabs: readonly Remembered[]; active: TabId } {
  try {
    const text = sessionStorage.getItem(OPEN) ?? localStorage.getItem(OPEN) ?? "{}";
    const { tabs, active } = JSON.parse(text) as { tabs?: unknown; active?: unknown };
    return {
      tabs: Array.isArray(tabs) ? (tabs as readonly Remembered[]) : [],
      active: typeof active === "string" ? active : "",
    };
  } catch {
    return { tabs: [], active: "" };
  }
}

/** Drafts: what is not saved is kept on the server, and in the browser while the server is away. */

import * as routes from "../api/routes";
import { type Json, parseJson, writeJson } from "../model/json";
import { parseNative, toNative } from "../model/native";
import type { DraftBody } from "../protocol/generated";
import { documentIn } from "./saving";
import { isSmall } from "./session";
import { enterWindow, type HereWindow, type NotedTab } from "./windows";
import { isUnsaved, type Tab, type TabId, useWorkspace } from "./workspace";

const AFTER_MS = 1200;
const AGAIN_MS = 8000;
const LOCAL = "graphengine.draft.";
/** Browsers keep about 5 MB; larger drafts wait for the server. */
const MOST_LOCAL = 2_000_000;

/** Open the tabs of the last visit, or the first ones; from then on keep drafts of all tabs. */
export async function startDrafts(openFirst: () => Promise<void>): Promise<void> {
  const here = await enterWindow();
  if (!(await restoreTabs(here))) await openFirst();
  keepDrafts(here);
}

function keepDrafts(here: HereWindow): void {
  const note = () => {
    const { tabs, active } = useWorkspace.getState();
    here.note(
      tabs.map((tab) => ({ id: tab.id, name: tab.savedAs?.name ?? null })),
      active,
    );
  };
  const timers = new Map<TabId, ReturnType<typeof setTimeout>>();
  const later = (id: TabId, after: number) => {
    clearTimeout(timers.get(id));
    timers.set(
      id,
      setTimeout(() => {
        note();
        keep(id).catch(() => later(id, AGAIN_MS));
      }, after),
    );
  };
  useWorkspace.subscribe((state, before) => {
    if (state.tabs === before.tabs && state.active === before.active) return;
    if (state.active !== before.active || !isSameTabs(state.tabs, before.tabs)) note();
    for (const tab of state.tabs) {
      const earlier = before.tabs.find((one) => one.id === tab.id);
      const changed =
        earlier === undefined
          ? isOnlyHere(tab) && isSmall(tab.workflow)
          : earlier.workflow !== tab.workflow ||
            earlier.savedWorkflow !== tab.savedWorkflow ||
            earlier.name !== tab.name;
      if (changed) later(tab.id, AFTER_MS);
    }
    for (const tab of before.tabs) {
      if (state.tabs.some((one) => one.id === tab.id)) continue;
      clearTimeout(timers.get(tab.id));
      void forget(tab.id);
    }
  });
  const flush = () => {
    for (const tab of useWorkspace.getState().tabs) {
      if (isUnsaved(tab) || (tab.savedAs === null && timers.has(tab.id))) keepLocally(tab);
    }
  };
  window.addEventListener("pagehide", flush);
  note();
}

/** Whether a window's note would name the same tabs; what is done in them it does not tell. */
function isSameTabs(one: readonly Tab[], other: readonly Tab[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ id, savedAs }, at) => {
      const there = other[at];
      return id === there?.id && savedAs?.name === there.savedAs?.name;
    })
  );
}

/** Open the tabs of the last visit again; whether there were any. */
async function restoreTabs({ notes }: HereWindow): Promise<boolean> {
  let found = false;
  for (const [at, { tabs }] of notes.entries()) {
    for (const tab of tabs) found = (await restored(tab, at === 0)) || found;
  }
  if (found) useWorkspace.getState().activate(notes[0]?.active ?? "");
  return found;
}

/** A tab with what was not saved in it; one of the latest window also if all was saved. */
async function restored({ id, name }: NotedTab, latest: boolean): Promise<boolean> {
  const body = localDraft(id) ?? (await serverDraft(id));
  if (body === null) return latest && name !== null && reopened(name);
  const savedAs =
    body.workflow && body.base_etag ? { name: body.workflow, etag: body.base_etag } : undefined;
  const options = { draft: id, ...(savedAs === undefined ? {} : { savedAs }) };
  useWorkspace.getState().open(parseNative(body.document as Json), body.name, options);
  return true;
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
  if (!isOnlyHere(tab)) return forget(id);
  keepLocally(tab);
  await routes.putDraft(id, bodyOf(tab));
  const now = useWorkspace.getState().tabs.find((one) => one.id === id);
  if (now?.workflow === tab.workflow) localStorage.removeItem(LOCAL + id);
}

/** Whether no saved workflow holds what a tab does: it was changed, or opened from a file. */
function isOnlyHere(tab: Tab): boolean {
  return isUnsaved(tab) || tab.savedAs === null;
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

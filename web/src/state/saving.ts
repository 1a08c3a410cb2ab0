/** Saving to the server by name: nothing is overwritten that somebody else changed meanwhile. */

import i18next from "i18next";
import { create } from "zustand";
import { ApiError } from "../api/http";
import * as routes from "../api/routes";
import { EMPTY_WORKFLOW } from "../model/document";
import type { JsonObject } from "../model/json";
import { parseNative, toNative } from "../model/native";
import { type Tab, type TabId, useWorkspace } from "./workspace";

/** What saving asks of the person. */
export type Question =
  | { readonly kind: "name"; readonly tab: TabId; readonly then?: "close" }
  | {
      readonly kind: "conflict";
      readonly tab: TabId;
      readonly name: string;
      readonly then?: "close";
    }
  | { readonly kind: "close"; readonly tab: TabId }
  | { readonly kind: "versions"; readonly name: string };

interface Saving {
  readonly question: Question | null;
  ask(question: Question | null): void;
}

export const useSaving = create<Saving>()((set) => ({
  question: null,
  ask: (question) => set({ question }),
}));

const ask = (question: Question | null) => useSaving.getState().ask(question);
const tabOf = (id: TabId): Tab | undefined =>
  useWorkspace.getState().tabs.find((tab) => tab.id === id);

/** Save a tab under its name, or ask for one. */
export async function save(id: TabId, then?: "close"): Promise<void> {
  const tab = tabOf(id);
  if (tab === undefined) return;
  const more = then === undefined ? {} : { then };
  if (tab.savedAs === null) return ask({ kind: "name", tab: id, ...more });
  await saveAs(id, tab.savedAs.name, tab.savedAs.etag, then);
}

/** Save a tab under a name. `etag` null: it must be new there; undefined: whatever there is. */
export async function saveAs(
  id: TabId,
  name: string,
  etag: string | null | undefined,
  then?: "close",
): Promise<void> {
  const tab = tabOf(id);
  if (tab === undefined) return;
  const more = then === undefined ? {} : { then };
  try {
    const saved = await routes.putWorkflow(name, toNative(tab.workflow), etag);
    useWorkspace.getState().saved(id, tab.workflow, { name: saved.name, etag: saved.etag });
    ask(null);
    if (then === "close") closeNow(id);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 412) throw error;
    ask({ kind: "conflict", tab: id, name, ...more });
  }
}

/** Answer a conflict: keep mine, take theirs, or keep both under two names. */
export async function resolveConflict(
  question: Extract<Question, { kind: "conflict" }>,
  answer: "mine" | "theirs" | "both",
): Promise<void> {
  const { tab: id, name, then } = question;
  if (answer === "mine") return saveAs(id, name, undefined, then);
  if (answer === "both") return saveAs(id, await freeName(name), null, then);
  const { data, etag } = await routes.getWorkflow(name);
  const workflow = parseNative(documentIn(data));
  const { replace, saved } = useWorkspace.getState();
  replace(id, workflow);
  saved(id, workflow, { name, etag: etag ?? "" });
  ask(null);
  if (then === "close") closeNow(id);
}

/** Close a tab; if it is unsaved, ask before. */
export function closeTab(id: TabId): void {
  const tab = tabOf(id);
  if (tab === undefined) return;
  const touched = tab.workflow !== tab.savedWorkflow && tab.workflow.top.nodes.size > 0;
  if (touched) ask({ kind: "close", tab: id });
  else closeNow(id);
}

/** Close a tab whatever is in it; after the last one a new workflow is open. */
export function closeNow(id: TabId): void {
  useWorkspace.getState().close(id);
  const { tabs, open } = useWorkspace.getState();
  if (tabs.length === 0) open(EMPTY_WORKFLOW, i18next.t("tabs.untitled"));
}

/** Put an earlier version in the workflow's tab; it can be undone, and is not saved yet. */
export async function restoreVersion(name: string, number: number): Promise<void> {
  const data = await routes.getVersion(name, number);
  const [tab] = tabsOf(name);
  if (tab !== undefined) {
    const { replace, activate } = useWorkspace.getState();
    replace(tab.id, parseNative(documentIn(data)));
    activate(tab.id);
  }
  ask(null);
}

/** Name a tab; the saved workflow in it is renamed with it. */
export async function renameTab(id: TabId, name: string): Promise<void> {
  const savedAs = tabOf(id)?.savedAs;
  if (savedAs == null) useWorkspace.getState().rename(id, name);
  else if (savedAs.name !== name) await renameSaved(savedAs.name, name);
}

/** Rename a saved workflow; the tabs that have it open follow. */
export async function renameSaved(name: string, to: string): Promise<void> {
  const saved = await routes.renameWorkflow(name, to);
  for (const tab of tabsOf(name)) {
    const { etag } = tab.savedAs ?? saved;
    useWorkspace.getState().saved(tab.id, tab.savedWorkflow, { name: saved.name, etag });
  }
}

/** Delete a saved workflow; the tabs that have it open keep it, unsaved. */
export async function deleteSaved(name: string): Promise<void> {
  await routes.deleteWorkflow(name);
  for (const tab of tabsOf(name)) useWorkspace.getState().forgetSaved(tab.id);
}

const tabsOf = (name: string): readonly Tab[] =>
  useWorkspace.getState().tabs.filter((tab) => tab.savedAs?.name === name);

/** The document in an answer that carries one, or the answer itself. */
export function documentIn(data: unknown): JsonObject {
  const answer = data as JsonObject;
  const inner = answer["document"];
  return typeof inner === "object" && inner !== null ? (inner as JsonObject) : answer;
}

async function freeName(name: string): Promise<string> {
  const taken = new Set((await routes.listWorkflows()).map((one) => one.name));
  let number = 2;
  while (taken.has(`${name} ${number}`)) number += 1;
  return `${name} ${number}`;
}

/** Which windows of this browser are open: no two of them ever write the same drafts. */

import { newUuid } from "../model/ids";

const HERE = "graphengine.window";
const TABS = "graphengine.tabs.";
/** A window that is loaded again lets its id go a moment after the new page begins. */
const LET_GO_MS = 500;

/** A tab as its window noted it. */
export interface NotedTab {
  readonly id: string;
  /** The saved workflow in it, if it is one. */
  readonly name: string | null;
}

export interface Note {
  readonly time: number;
  readonly tabs: readonly NotedTab[];
  readonly active: string;
}

/** This window, under an id that no other open window has. */
export interface HereWindow {
  /** Its own note, if it was loaded again; else those of windows that are gone, the latest first. */
  readonly notes: readonly Note[];
  note(tabs: readonly NotedTab[], active: string): void;
}

/** Enter: a window that was loaded again keeps its id, a new one takes over from those gone. */
export async function enterWindow(): Promise<HereWindow> {
  const before = sessionStorage.getItem(HERE);
  const again = before !== null && (await claim(before));
  const id = again ? before : newUuid();
  if (!again) await claim(id);
  sessionStorage.setItem(HERE, id);
  const own = again ? noteAt(TABS + id) : null;
  const taken = own === null ? await keysOfGone() : [];
  return {
    notes: own === null ? latestFirst(taken) : [own],
    note: (tabs, active) => {
      localStorage.setItem(TABS + id, JSON.stringify({ time: Date.now(), tabs, active }));
      for (const key of taken) if (key !== TABS + id) localStorage.removeItem(key);
    },
  };
}

/** Take an id for as long as this page lives; whether no other page has it. */
async function claim(id: string): Promise<boolean> {
  if (!("locks" in navigator)) return claimByAsking(id);
  const signal = AbortSignal.timeout(LET_GO_MS);
  return new Promise((resolve) => {
    navigator.locks
      .request(HERE + id, { signal }, () => {
        resolve(true);
        return new Promise<never>(() => {});
      })
      .catch(() => resolve(false));
  });
}

/** Pages from other machines without https have no locks: whoever has the id says so. */
function claimByAsking(id: string): Promise<boolean> {
  const channel = new BroadcastChannel(HERE + id);
  return new Promise((resolve) => {
    channel.onmessage = ({ data }) => {
      if (data !== "taken") return;
      channel.close();
      resolve(false);
    };
    channel.postMessage("whose?");
    setTimeout(() => {
      channel.onmessage = ({ data }) => data === "whose?" && channel.postMessage("taken");
      resolve(true);
    }, LET_GO_MS);
  });
}

async function keysOfGone(): Promise<readonly string[]> {
  const keys = Object.keys(localStorage).filter((key) => key.startsWith(TABS));
  const gone = await Promise.all(keys.map((key) => claim(key.slice(TABS.length))));
  return keys.filter((_, at) => gone[at]);
}

function latestFirst(keys: readonly string[]): readonly Note[] {
  const notes = keys.map(noteAt).filter((note) => note !== null);
  return notes.sort((one, other) => other.time - one.time);
}

function noteAt(key: string): Note | null {
  try {
    const note = JSON.parse(localStorage.getItem(key) ?? "null") as Partial<Note> | null;
    if (note === null || !Array.isArray(note.tabs)) return null;
    return { time: note.time ?? 0, tabs: note.tabs, active: note.active ?? "" };
  } catch {
    return null;
  }
}

/** Who this tab is for the server: the same after a reload, another one in every other tab. */

const KEY = "graphengine.client";

/** This tab's id. A duplicated tab inherits the storage; the lock tells it from a reloaded one. */
export async function claimClientId(): Promise<string> {
  const before = sessionStorage.getItem(KEY);
  const id = before !== null && (await claimed(before)) ? before : freshId();
  if (id !== before) await claimed(id);
  sessionStorage.setItem(KEY, id);
  return id;
}

/** An id that nobody else has; `crypto.randomUUID` is missing on plain http addresses. */
export function freshId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Holds the id's lock until the tab closes; false if another tab holds it. */
function claimed(id: string): Promise<boolean> {
  const locks = (navigator as Partial<Navigator>).locks;
  if (locks === undefined) return Promise.resolve(wasReloaded());
  const signal = AbortSignal.timeout(wasReloaded() ? RELOAD_MS : OTHER_TAB_MS);
  return new Promise((resolve) => {
    const held = () => {
      resolve(true);
      return new Promise(() => {});
    };
    locks.request(`${KEY}.${id}`, { signal }, held).catch(() => resolve(false));
  });
}

/** The page that was left may hold its lock a moment longer than the new one needs to load. */
const RELOAD_MS = 500;
const OTHER_TAB_MS = 50;

function wasReloaded(): boolean {
  const [navigation] = performance.getEntriesByType("navigation");
  return navigation instanceof PerformanceNavigationTiming && navigation.type === "reload";
}

/** This window's session with the server: its id, its socket, and what is kept up to date. */

import { connect } from "../api/socket";
import { claimIdentity } from "./identity";
import { checkActive } from "./run";
import { forgetTabs, hear, restoreRuns, setConnection, useServer } from "./server";
import { activeTab, useWorkspace } from "./workspace";

const CHECK_MS = 700;
/** Larger workflows are checked when they are run, or when it is asked for. */
const MOST_CHECKED = 2000;

/** Connect, and follow the workspace; the returned function ends it. */
export async function startSession(): Promise<() => void> {
  const id = await claimIdentity();
  restoreRuns();
  const disconnect = connect(id, { onMessage: hear, onConnection: setConnection });
  const unwatch = watchWorkspace();
  return () => {
    unwatch();
    disconnect();
  };
}

/** Check the workflow a moment after each change, and let go of what closed tabs showed. */
function watchWorkspace(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asked: AbortController | undefined;
  const check = () => {
    asked?.abort();
    asked = new AbortController();
    checkActive(asked.signal).catch(() => {});
  };
  const soon = () => {
    clearTimeout(timer);
    const size = activeTab()?.workflow.top.nodes.size ?? 0;
    if (size > 0 && size <= MOST_CHECKED) timer = setTimeout(check, CHECK_MS);
  };
  const stopWorkspace = useWorkspace.subscribe((state, before) => {
    if (activeTab(state)?.workflow !== activeTab(before)?.workflow) soon();
    if (state.tabs.length < before.tabs.length) {
      forgetTabs(new Set(state.tabs.map((tab) => tab.id)));
    }
  });
  const stopServer = useServer.subscribe((state, before) => {
    const back = state.connection === "open" && before.connection !== "open";
    const ended = state.queue.running.length < before.queue.running.length;
    if (back || ended) soon();
  });
  return () => {
    clearTimeout(timer);
    asked?.abort();
    stopWorkspace();
    stopServer();
  };
}

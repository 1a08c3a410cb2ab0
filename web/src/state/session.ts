/** This window's session with the server: its id, its socket, and what is kept up to date. */

import { connect } from "../api/socket";
import type { Workflow } from "../model/document";
import { claimIdentity } from "./identity";
import { checkActive } from "./run";
import { forgetTabs, hear, restoreRuns, setConnection, useServer } from "./server";
import { activeTab, useWorkspace } from "./workspace";

const CHECK_MS = 700;
/** Larger workflows are checked when they are run, or when it is asked for. */
const MOST_NODES = 2000;
const MOST_LETTERS = 1_000_000;

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
    const workflow = activeTab()?.workflow;
    if (workflow === undefined || !isSmall(workflow)) return;
    asked?.abort();
    asked = new AbortController();
    checkActive(asked.signal).catch(() => {});
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(check, CHECK_MS);
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

/** Whether a workflow can be sent to the server again and again without the person noticing. */
export function isSmall(workflow: Workflow): boolean {
  const { nodes } = workflow.top;
  if (nodes.size === 0 || nodes.size > MOST_NODES) return false;
  let letters = 0;
  for (const node of nodes.values()) {
    for (const value of Object.values(node.values)) {
      if (typeof value === "string") letters += value.length;
    }
  }
  return letters <= MOST_LETTERS;
}

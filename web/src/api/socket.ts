/** The WebSocket, kept open: it comes back by itself, and says when it is away. */

import { type Message, parseBinary, parseText } from "./messages";

export type Connection = "connecting" | "open" | "lost";

export interface Listener {
  readonly onMessage: (message: Message) => void;
  readonly onConnection: (connection: Connection) => void;
}

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 3_000;

/** How long to wait before the n-th attempt (0 is the first): doubling, with a bound. */
export function waitBefore(attempt: number): number {
  return Math.min(FIRST_WAIT_MS * 2 ** attempt, LONGEST_WAIT_MS);
}

/** Connects and stays connected until the returned function is called. */
export function connect(clientId: string, listener: Listener): () => void {
  let socket: WebSocket | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let attempt = 0;
  let closed = false;

  const again = () => {
    if (closed) return;
    listener.onConnection("lost");
    clearTimeout(timer);
    timer = setTimeout(open, waitBefore(attempt));
    attempt += 1;
  };
  const open = () => {
    socket = new WebSocket(socketUrl(clientId));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      attempt = 0;
      socket?.send(FEATURES);
      listener.onConnection("open");
    };
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      const { data } = event;
      const message = typeof data === "string" ? parseText(data) : parseBinary(data);
      if (message !== null) listener.onMessage(message);
    };
    socket.onclose = again;
  };
  const hurry = () => {
    if (socket?.readyState !== WebSocket.CLOSED) return;
    clearTimeout(timer);
    open();
  };

  listener.onConnection("connecting");
  open();
  window.addEventListener("online", hurry);
  return () => {
    closed = true;
    clearTimeout(timer);
    window.removeEventListener("online", hurry);
    socket?.close();
  };
}

const FEATURES = JSON.stringify({
  type: "feature_flags",
  data: { supports_preview_metadata: true, all_jobs: true },
});

function socketUrl(clientId: string): string {
  const url = new URL("/ws", window.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.searchParams.set("clientId", clientId);
  return url.href;
}

/** What comes over the WebSocket, parsed: ComfyUI's frames as a union of our own. */

import { parseJson } from "../model/json";

export interface NodeState {
  readonly node_id: string;
  readonly display_node_id: string;
  readonly value: number;
  readonly max: number;
  readonly state: "running" | "finished" | "error";
}

export interface ExecutionError {
  readonly node_id: string | null;
  readonly exception_message: string;
  readonly exception_type: string;
  readonly traceback: readonly string[];
  readonly current_inputs: Readonly<Record<string, unknown>>;
  readonly code?: string;
  readonly message?: Readonly<Record<string, string>>;
}

export type Message =
  | { readonly kind: "status"; readonly remaining: number }
  | { readonly kind: "started"; readonly job: string }
  | { readonly kind: "cached"; readonly job: string; readonly nodes: readonly string[] }
  | { readonly kind: "executing"; readonly job: string; readonly node: string | null }
  | { readonly kind: "states"; readonly job: string; readonly nodes: readonly NodeState[] }
  | {
      readonly kind: "executed";
      readonly job: string;
      readonly node: string;
      readonly output: Readonly<Record<string, unknown>> | null;
    }
  | { readonly kind: "done"; readonly job: string }
  | { readonly kind: "failed"; readonly job: string; readonly error: ExecutionError }
  | { readonly kind: "stopped"; readonly job: string }
  | {
      readonly kind: "preview";
      readonly job: string | null;
      readonly node: string | null;
      readonly image: Blob;
    }
  | { readonly kind: "text"; readonly node: string; readonly text: string }
  | { readonly kind: "plugins"; readonly plugins: readonly string[] };

/** The message of a text frame; null for what we do not know. */
export function parseText(text: string): Message | null {
  let frame: unknown;
  try {
    frame = parseJson(text);
  } catch {
    return null;
  }
  const { type, data } = fields(frame);
  return typeof type === "string" ? messageOf(type, fields(data)) : null;
}

/** The message of a binary frame: a preview (1, or 4 with its node and job) or a text (3). */
export function parseBinary(buffer: ArrayBuffer): Message | null {
  if (buffer.byteLength < 8) return null;
  const view = new DataView(buffer);
  const id = view.getUint32(0);
  const second = view.getUint32(4);
  if (id === 1) {
    const image = new Blob([buffer.slice(8)], { type: second === 2 ? "image/png" : "image/jpeg" });
    return { kind: "preview", job: null, node: null, image };
  }
  if (second > buffer.byteLength - 8) return null;
  const head = new TextDecoder().decode(new Uint8Array(buffer, 8, second));
  const rest = buffer.slice(8 + second);
  if (id === 3) return { kind: "text", node: head, text: new TextDecoder().decode(rest) };
  return id === 4 ? describedPreview(head, rest) : null;
}

type Fields = Readonly<Record<string, unknown>>;

function describedPreview(head: string, bytes: ArrayBuffer): Message | null {
  try {
    const about = fields(JSON.parse(head));
    const image = new Blob([bytes], { type: text(about.image_type) ?? "image/jpeg" });
    const node = text(about.display_node_id) ?? text(about.node_id);
    return { kind: "preview", job: text(about.prompt_id), node, image };
  } catch {
    return null;
  }
}

function messageOf(type: string, data: Fields): Message | null {
  if (type === "status") {
    const remaining = fields(fields(data.status).exec_info).queue_remaining;
    return { kind: "status", remaining: typeof remaining === "number" ? remaining : 0 };
  }
  if (type === "plugins_changed") {
    return { kind: "plugins", plugins: list(data.plugins).map(String) };
  }
  const job = text(data.prompt_id);
  if (job === null) return null;
  switch (type) {
    case "execution_start":
      return { kind: "started", job };
    case "execution_cached":
      return { kind: "cached", job, nodes: list(data.nodes).map(String) };
    case "executing":
      return { kind: "executing", job, node: text(data.display_node) ?? text(data.node) };
    case "progress_state":
      return { kind: "states", job, nodes: Object.values(fields(data.nodes)) as NodeState[] };
    case "executed":
      return executed(job, data);
    case "execution_success":
      return { kind: "done", job };
    case "execution_error":
      return data.exception_type === "ExecutionBlocked"
        ? null
        : { kind: "failed", job, error: data as unknown as ExecutionError };
    case "execution_interrupted":
      return { kind: "stopped", job };
    default:
      return null;
  }
}

function executed(job: string, data: Fields): Message | null {
  const node = text(data.display_node) ?? text(data.node);
  const output = typeof data.output === "object" ? (data.output as Fields | null) : null;
  return node === null ? null : { kind: "executed", job, node, output };
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : null;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

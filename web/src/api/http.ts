/** One way to ask the server, and one kind of error with a text in the person's language. */

import { parseJson, writeJson } from "../model/json";

export type Language = "en" | "ja";
export type Texts = Readonly<Record<string, string>>;

/** The text in a language, English where there is none. */
export function textIn(texts: Texts | undefined, language: string): string | undefined {
  return texts?.[language] ?? texts?.["en"];
}

/** What the server, or the way to it, had to say against a request. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly texts: Texts,
    readonly nodeErrors: Readonly<Record<string, NodeErrors>> = {},
  ) {
    super(texts.en ?? code);
    this.name = "ApiError";
  }

  /** The message in a language, English where there is none. */
  text(language: string): string {
    return textIn(this.texts, language) ?? this.code;
  }
}

/** What is wrong with one node, as the server refuses a prompt. */
export interface NodeErrors {
  readonly class_type: string;
  readonly errors: readonly {
    readonly type: string;
    readonly message: string;
    readonly details: string;
    readonly extra_info: Readonly<Record<string, unknown>>;
  }[];
}

export interface Options {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface Answer<T> {
  readonly data: T;
  readonly etag: string | null;
}

/** The JSON answer of a request; raises `ApiError`, with code "unreachable" without a server. */
export async function request<T>(method: string, path: string, options: Options = {}): Promise<T> {
  return (await requestWithEtag<T>(method, path, options)).data;
}

/** As `request`, with the answer's ETag. */
export async function requestWithEtag<T>(
  method: string,
  path: string,
  options: Options = {},
): Promise<Answer<T>> {
  const response = await send(method, path, options);
  const text = await response.text();
  if (!response.ok) throw errorOf(response.status, text);
  const data = text === "" ? undefined : parseJson(text);
  return { data: data as T, etag: response.headers.get("ETag") };
}

async function send(method: string, path: string, options: Options): Promise<Response> {
  const { body, headers, signal } = options;
  const raw = body instanceof Blob || body instanceof FormData;
  const json: Record<string, string> = raw || body === undefined ? {} : JSON_TYPE;
  try {
    return await fetch(path, {
      method,
      headers: { ...json, ...headers },
      body: raw || body === undefined ? (body ?? null) : writeJson(body),
      signal: signal ?? null,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "unreachable", UNREACHABLE);
  }
}

/** The error that an answer tells: `{error: {type, message, extra_info: {message}}, node_errors}`. */
export function errorOf(status: number, text: string): ApiError {
  const body = record(safely(text));
  const error = record(body.error);
  const code = typeof error.type === "string" ? error.type : `http_${status}`;
  const info = record(error.extra_info);
  const spoken = { ...textsIn(info.text), ...textsIn(info.message) };
  const plain = typeof error.message === "string" && error.message !== "" ? error.message : code;
  const texts = { en: plain, ...spoken };
  return new ApiError(status, code, texts, body.node_errors as Record<string, NodeErrors>);
}

/** What went wrong, whatever was thrown, in the person's language. */
export function errorText(error: unknown, language: string): string {
  if (error instanceof ApiError) return error.text(language);
  return error instanceof Error ? error.message : String(error);
}

const JSON_TYPE = { "Content-Type": "application/json" };
const UNREACHABLE = {
  en: "The server does not answer. Your work is safe; it goes on when the server is back.",
  ja: "サーバーから応答がありません。作業内容は失われません。サーバーが戻ると続けられます。",
};

function safely(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function textsIn(value: unknown): Record<string, string> {
  const entries = Object.entries(record(value));
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => isText(entry[1])));
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

/** Every route of the server that the editor asks, by its name. */

import type { JsonObject } from "../model/json";
import {
  API,
  type DraftAnswer,
  type DraftBody,
  type DraftInfo,
  type DraftsAnswer,
  type ExplainAnswer,
  type FilmstripAnswer,
  type JobAnswer,
  type JobBody,
  type JobsAnswer,
  type NodesAnswer,
  type OpenedAnswer,
  type PluginInfo,
  type PluginsAnswer,
  type QueueAnswer,
  type SavedWorkflow,
  type Template,
  type TemplatesAnswer,
  type ValidateAnswer,
  type VersionsAnswer,
  type WorkflowsAnswer,
  type WorkflowVersion,
} from "../protocol/generated";
import { type Answer, type Language, request, requestWithEtag } from "./http";

const part = encodeURIComponent;

// --- nodes and checking --------------------------------------------------------------------------

export function getNodes(): Promise<NodesAnswer> {
  return request("GET", `${API}/nodes`);
}

export function validate(prompt: JsonObject, signal?: AbortSignal): Promise<ValidateAnswer> {
  return request("POST", `${API}/validate`, { body: { prompt }, ...abortable(signal) });
}

export function explain(prompt: JsonObject, signal?: AbortSignal): Promise<ExplainAnswer> {
  return request("POST", `${API}/explain`, { body: { prompt }, ...abortable(signal) });
}

// --- plugins -------------------------------------------------------------------------------------

export function getPlugins(): Promise<PluginsAnswer> {
  return request("GET", `${API}/plugins`);
}

/** Let a plugin run as the person saw it; 409 if it has changed since. */
export function enablePlugin(name: string, digest: string): Promise<PluginInfo> {
  return request("POST", `${API}/plugins/${part(name)}/enable`, { body: { digest } });
}

export function disablePlugin(name: string): Promise<PluginInfo> {
  return request("POST", `${API}/plugins/${part(name)}/disable`);
}

// --- jobs and the queue --------------------------------------------------------------------------

export function postJob(
  body: Omit<JobBody, "prompt"> & { prompt: JsonObject },
): Promise<JobAnswer> {
  return request("POST", `${API}/jobs`, { body });
}

/** Give a waiting job another workflow; it keeps its place. */
export function putJob(
  id: string,
  prompt: JsonObject,
  targets: readonly string[] | null,
): Promise<JobAnswer> {
  return request("PUT", `${API}/jobs/${part(id)}`, { body: { prompt, targets } });
}

export interface JobsQuery {
  readonly state?: readonly string[];
  readonly limit: number;
  readonly offset?: number;
}

export function getJobs({ state = [], limit, offset = 0 }: JobsQuery): Promise<JobsAnswer> {
  const query = new URLSearchParams({ limit: String(limit), offset: String(offset) });
  if (state.length > 0) query.set("state", state.join(","));
  return request("GET", `${API}/jobs?${query}`);
}

export function getJob(id: string): Promise<JobAnswer> {
  return request("GET", `${API}/jobs/${part(id)}`);
}

/** The workflow that a job was queued with; `drawn`: with the seeds that it drew, to repeat it. */
export function getJobDocument(id: string, drawn: boolean): Promise<OpenedAnswer> {
  return request("GET", `${API}/jobs/${part(id)}/document${drawn ? "?seeds=drawn" : ""}`);
}

/** What was seen of a job's pictures after each step. */
export function getFilmstrip(id: string): Promise<FilmstripAnswer> {
  return request("GET", `${API}/jobs/${part(id)}/filmstrip`);
}

/** Take a queued job out, stop a running one, forget one that has ended. */
export function deleteJob(id: string): Promise<void> {
  return request("DELETE", `${API}/jobs/${part(id)}`);
}

/** End a job that does not stop, and the server's process with it; it starts again. */
export function killJob(id: string): Promise<void> {
  return request("POST", `${API}/jobs/${part(id)}/kill`);
}

export function retryJob(id: string): Promise<JobAnswer> {
  return request("POST", `${API}/jobs/${part(id)}/retry`);
}

export function moveJob(id: string, place: number): Promise<QueueAnswer> {
  return request("POST", `${API}/jobs/${part(id)}/move`, { body: { place } });
}

export function getQueue(): Promise<QueueAnswer> {
  return request("GET", `${API}/queue`);
}

export function pauseQueue(paused: boolean): Promise<QueueAnswer> {
  return request("PUT", `${API}/queue`, { body: { paused } });
}

export function clearQueue(): Promise<void> {
  return request("DELETE", `${API}/queue`);
}

// --- workflows -----------------------------------------------------------------------------------

/** Open any file or picture. `file` may also be JSON that was pasted. */
export function openFile(file: Blob, name: string): Promise<OpenedAnswer> {
  const query = new URLSearchParams({ name });
  return request("POST", `${API}/open?${query}`, {
    body: file,
    headers: { "Content-Type": "application/octet-stream" },
  });
}

/** Open a file of the web; the server fetches it. */
export function openAddress(address: string): Promise<OpenedAnswer> {
  return request("POST", `${API}/open-address`, { body: { address } });
}

export async function listWorkflows(): Promise<readonly SavedWorkflow[]> {
  return (await request<WorkflowsAnswer>("GET", `${API}/workflows`)).workflows;
}

export function getWorkflow(name: string): Promise<Answer<OpenedAnswer>> {
  return requestWithEtag("GET", `${API}/workflows/${part(name)}`);
}

/** Save; `etag` null: it must be new, undefined: whatever there is. 412 on a conflict. */
export function putWorkflow(
  name: string,
  document: JsonObject,
  etag?: string | null,
): Promise<SavedWorkflow> {
  const headers: Record<string, string> =
    etag === undefined ? {} : etag === null ? { "If-None-Match": "*" } : { "If-Match": etag };
  return request("PUT", `${API}/workflows/${part(name)}`, { body: { document }, headers });
}

export function deleteWorkflow(name: string): Promise<void> {
  return request("DELETE", `${API}/workflows/${part(name)}`);
}

export function renameWorkflow(name: string, to: string): Promise<SavedWorkflow> {
  return request("POST", `${API}/workflows/${part(name)}/rename`, { body: { name: to } });
}

export async function listVersions(name: string): Promise<readonly WorkflowVersion[]> {
  const path = `${API}/workflows/${part(name)}/versions`;
  return (await request<VersionsAnswer>("GET", path)).versions;
}

export function getVersion(name: string, number: number): Promise<OpenedAnswer> {
  return request("GET", `${API}/workflows/${part(name)}/versions/${number}`);
}

/** A document as JSON for ComfyUI: its editor's, or its API's. */
export function exportDocument(
  document: JsonObject,
  format: "comfyui" | "api",
): Promise<JsonObject> {
  return request("POST", `${API}/export?format=${format}`, { body: { document } });
}

export async function listTemplates(): Promise<readonly Template[]> {
  return (await request<TemplatesAnswer>("GET", `${API}/templates`)).templates;
}

/** A workflow that comes along, its nodes' titles in the person's language. */
export function getTemplate(name: string, language: Language): Promise<OpenedAnswer> {
  return request("GET", `${API}/templates/${part(name)}?language=${language}`);
}

// --- drafts --------------------------------------------------------------------------------------

export async function listDrafts(): Promise<readonly DraftInfo[]> {
  return (await request<DraftsAnswer>("GET", `${API}/drafts`)).drafts;
}

export function getDraft(id: string): Promise<DraftAnswer> {
  return request("GET", `${API}/drafts/${part(id)}`);
}

export function putDraft(id: string, body: DraftBody): Promise<DraftInfo> {
  return request("PUT", `${API}/drafts/${part(id)}`, { body });
}

export function deleteDraft(id: string): Promise<void> {
  return request("DELETE", `${API}/drafts/${part(id)}`);
}

// --- files ---------------------------------------------------------------------------------------

/** A file that a node wrote or that was uploaded, as nodes' outputs name it. */
export interface FileRef {
  readonly filename: string;
  readonly subfolder: string;
  readonly type: string;
}

/** The address of a file; with `preview`, of a smaller copy of a picture. */
export function viewUrl(file: FileRef, preview?: "webp;80"): string {
  const query = new URLSearchParams({
    filename: file.filename,
    subfolder: file.subfolder,
    type: file.type,
  });
  if (preview !== undefined) query.set("preview", preview);
  return `/view?${query}`;
}

/** Store a picture among the inputs; what an image input calls it. */
export async function uploadImage(file: File): Promise<string> {
  const form = new FormData();
  form.append("image", file, file.name);
  return inputName(await request<Stored>("POST", "/upload/image", { body: form }));
}

/** How the server tells where it stored an upload. */
export interface Stored {
  readonly name: string;
  readonly subfolder: string;
}

/** What an image input calls a stored file. */
export function inputName({ name, subfolder }: Stored): string {
  return subfolder === "" ? name : `${subfolder}/${name}`;
}

function abortable(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

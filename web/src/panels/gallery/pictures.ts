/** The pictures of jobs, and the settings that each was made with. Pure. */

import type { FileRef } from "../../api/routes";
import {
  EMPTY_GRAPH,
  type GraphNode,
  type Link,
  makeNode,
  type Workflow,
} from "../../model/document";
import { isObject, type Json, type JsonObject } from "../../model/json";
import type { JobAnswer, NodeInfo } from "../../protocol/generated";
import { readField } from "../eight/fields";
import { type Found, findSamplers, findSettings, type Setting } from "../eight/find";
import { checkpointName } from "../eight/lcm";
import { behind, everyPlace, nodeAt, pathOf } from "../eight/walk";

/** A picture that a node of a job showed. */
export interface Picture {
  readonly id: string;
  readonly job: string;
  readonly node: string;
  readonly file: FileRef;
}

/** The pictures of a job: those that were saved, else those that were only shown. */
export function picturesOf(job: JobAnswer): readonly Picture[] {
  const all = Object.entries(job.outputs).flatMap(([node, output]) =>
    filesIn(output["images"]).map(
      (file, at): Picture => ({ id: `${job.id}/${node}/${at}`, job: job.id, node, file }),
    ),
  );
  const saved = all.filter((picture) => picture.file.type === "output");
  return saved.length > 0 ? saved : all;
}

/** A picture of the gallery, with the ids of the same file as later runs found it in the cache. */
export interface Kept extends Picture {
  readonly again: readonly string[];
}

/** All pictures, the latest first; each file once, with the job that made it. */
export function allPictures(jobs: Iterable<JobAnswer>): readonly Kept[] {
  const done = [...jobs].filter((job) => Object.keys(job.outputs).length > 0);
  done.sort((one, other) => (other.finished ?? 0) - (one.finished ?? 0));
  const made = done.flatMap((job) => picturesOf(job).filter(({ node }) => !isCached(job, node)));
  const found = done.flatMap((job) => picturesOf(job).filter(({ node }) => isCached(job, node)));
  const kept = new Map<string, Kept>();
  for (const picture of [...made, ...found]) {
    const { type, subfolder, filename } = picture.file;
    const key = `${type}/${subfolder}/${filename}`;
    const before = kept.get(key);
    if (before === undefined) kept.set(key, { ...picture, again: [] });
    else kept.set(key, { ...before, again: [...before.again, picture.id] });
  }
  const place = new Map(done.map((job, at) => [job.id, at]));
  return [...kept.values()].sort((a, b) => (place.get(a.job) ?? 0) - (place.get(b.job) ?? 0));
}

function isCached(job: JobAnswer, node: string): boolean {
  return job.cached.includes(node);
}

/** Whether a job's prompt, file names or settings hold every word that is looked for. */
export function matches(job: JobAnswer, picture: Picture, wanted: string): boolean {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const text = `${picture.file.filename} ${searchText(job)}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

const searched = new WeakMap<JobAnswer, string>();

function searchText(job: JobAnswer): string {
  const known = searched.get(job);
  if (known !== undefined) return known;
  const nodes = Object.values(job.prompt).filter(isObject);
  const texts = nodes.flatMap((node) => {
    const inputs = isObject(node["inputs"]) ? Object.values(node["inputs"]) : [];
    return [node["class_type"], ...inputs].filter(
      (value) => !isObject(value) && !Array.isArray(value),
    );
  });
  const text = texts.join(" ");
  searched.set(job, text);
  return text;
}

/** A job's prompt (API format) as a document, so that settings are found as in any workflow. */
export function documentOf(prompt: JsonObject, nodes: ReadonlyMap<string, NodeInfo>): Workflow {
  const found = new Map<string, GraphNode>();
  const links = new Map<string, Link>();
  for (const [id, raw] of Object.entries(prompt)) {
    if (!isObject(raw) || typeof raw["class_type"] !== "string") continue;
    const info = nodes.get(raw["class_type"]);
    const types = new Map(info?.inputs.map((input) => [input.name, input.type]));
    const inputs = isObject(raw["inputs"]) ? Object.entries(raw["inputs"]) : [];
    const linked = inputs.filter(([, value]) => isLink(value));
    linked.forEach(([name, value], toSlot) => {
      const [from, fromSlot] = value as readonly [string, number];
      const link = {
        id: String(links.size + 1),
        from,
        fromSlot,
        to: id,
        toSlot,
        type: types.get(name) ?? "*",
      };
      links.set(link.id, link);
    });
    const values = inputs.filter(([, value]) => !isLink(value));
    found.set(
      id,
      makeNode({
        id,
        type: raw["class_type"],
        title: titleIn(raw),
        values: Object.fromEntries(values),
        inputs: linked.map(([name]) => ({ name, type: types.get(name) ?? "*" })),
        outputs: info?.outputs.map(({ name, type }) => ({ name, type })) ?? [],
      }),
    );
  }
  return { version: 1, top: { ...EMPTY_GRAPH, nodes: found, links }, subgraphs: new Map() };
}

/** The settings of a picture, by the name of their text; the sampler is the one behind its node. */
export function settingsOf(
  workflow: Workflow,
  node: string,
): readonly (readonly [string, string])[] {
  const samplers = findSamplers(workflow);
  const start = [...everyPlace(workflow)].find((place) => pathOf(place) === node);
  const before = new Set(start ? [...behind(workflow, start, PICTURE_TYPES)].map(pathOf) : []);
  const sampler = samplers.find((place) => before.has(pathOf(place))) ?? samplers.at(-1);
  if (sampler === undefined) return [];
  const found = findSettings(workflow, sampler);
  const text = (setting: Setting | null | undefined) => {
    const value = setting?.field ? readField(workflow, setting.field) : undefined;
    return value === undefined || value === null ? "" : String(value);
  };
  const skip = text(found.clipSkip);
  const rows: readonly (readonly [string, string])[] = [
    ["positive", found.positive.map(text).join("\n")],
    ["negative", found.negative.map(text).join("\n")],
    ["model", checkpointName(workflow, sampler)],
    ["embedding", embeddingsIn(workflow, found).join(", ")],
    ["vae", text(found.vae?.setting)],
    ["method", text(found.method)],
    ["scheduler", text(found.scheduler)],
    ["steps", text(found.steps)],
    ["cfg", text(found.cfg)],
    ["seed", text(found.seed)],
    ["clipSkip", skip === "" ? "" : String(-Number(skip))],
    ["denoise", text(found.denoise)],
  ];
  return rows.filter(([, value]) => value !== "");
}

/** Every value of every node, for those who want to see all. */
export function everything(workflow: Workflow): readonly (readonly [string, JsonObject])[] {
  return [...everyPlace(workflow)].flatMap((place) => {
    const node = nodeAt(workflow, place);
    if (node === undefined || Object.keys(node.values).length === 0) return [];
    return [[`${node.title ?? node.type} #${node.id}`, node.values] as const];
  });
}

/** The embeddings that a sampler's prompts name, and those that nodes load. */
export function embeddingsIn(workflow: Workflow, found: Found): readonly string[] {
  const read = (setting: Setting) => (setting.field ? readField(workflow, setting.field) : null);
  const texts = [...found.positive, ...found.negative].map(read);
  const named = texts.flatMap((text) =>
    typeof text === "string"
      ? [...text.matchAll(/embedding:([^\s,:()]+)/g)].map((one) => one[1] ?? "")
      : [],
  );
  const loaded = found.embeddings.map(read).filter((name) => typeof name === "string");
  return [...new Set([...named, ...loaded])];
}

const PICTURE_TYPES = new Set(["IMAGE", "LATENT", "*"]);

function isLink(value: Json | undefined): boolean {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === "string";
}

function titleIn(raw: JsonObject): string | null {
  const meta = raw["_meta"];
  const title = isObject(meta) ? meta["title"] : null;
  return typeof title === "string" ? title : null;
}

function filesIn(images: unknown): readonly FileRef[] {
  if (!Array.isArray(images)) return [];
  return images.filter(
    (file): file is FileRef => isObject(file) && typeof file["filename"] === "string",
  );
}

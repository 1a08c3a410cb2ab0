/** The LCM switch: a few small numbers while it is on, the old ones when it goes off. Pure. */

import { applyChange, type Change } from "../../model/changes";
import { type Mode, TOP, type Workflow } from "../../model/document";
import { isObject, type Json, type JsonObject } from "../../model/json";
import { insertLcmLora, takeOut } from "./edits";
import { type Field, readField, setField } from "./fields";
import { type Found, findSettings, type Setting } from "./find";
import { behind, nodeAt, type Place, pathOf } from "./walk";

/** A row of the table that the server has for the switch. */
export interface LcmPreset {
  readonly family: string;
  readonly checkpoints: readonly string[];
  readonly lora: string;
  readonly steps: number;
  readonly cfg: number;
  readonly sampler_name: string;
  readonly scheduler: string;
}

/** Whether the switch is on: it was put on, or the sampler is LCM's by itself. */
export function isLcmOn(workflow: Workflow, found: Found): boolean {
  return kept(workflow, found) !== null || valueIn(workflow, found.method) === "lcm";
}

/** The row for the checkpoint that a sampler's model comes from. */
export function presetFor(
  presets: readonly LcmPreset[],
  workflow: Workflow,
  found: Found,
): LcmPreset | undefined {
  return named(presets, checkpointName(workflow, found.sampler));
}

function named(presets: readonly LcmPreset[], file: string): LcmPreset | undefined {
  const name = file.toLowerCase();
  const known = presets.find((row) => row.checkpoints.some((part) => name.includes(part)));
  return known ?? presets.find((row) => row.checkpoints.length === 0);
}

/** The name of the file that a sampler's model comes from; "" if there is none. */
export function checkpointName(workflow: Workflow, sampler: Place): string {
  for (const at of behind(workflow, sampler, new Set(["MODEL", "GUIDER"]))) {
    const values = nodeAt(workflow, at)?.values ?? {};
    const name = values["ckpt_name"] ?? values["unet_name"] ?? values["model_path"];
    if (typeof name === "string") return name;
  }
  return "";
}

/** The LCM LoRA among those installed that fits: the preset's own, else one of its family. */
export function lcmLora(
  presets: readonly LcmPreset[],
  preset: LcmPreset | undefined,
  installed: readonly string[],
): string | null {
  const file = (name: string) => name.split(/[\\/]/).at(-1) ?? name;
  const own = installed.find((name) => file(name) === preset?.lora);
  const near = installed.find((name) => /lcm/i.test(name) && named(presets, file(name)) === preset);
  return own ?? near ?? null;
}

/** What the switch would put in, besides numbers: a LoRA's file; null if nothing is needed. */
export function lcmPart(
  presets: readonly LcmPreset[],
  workflow: Workflow,
  found: Found,
  installed: readonly string[],
): string | null {
  const learned = found.lcm.loras.length > 0 || isLcmCheckpoint(workflow, found);
  return learned ? null : lcmLora(presets, presetFor(presets, workflow, found), installed);
}

/** Whether the model itself was trained for few steps, by its name. */
export function isLcmCheckpoint(workflow: Workflow, found: Found): boolean {
  return /lcm/i.test(checkpointName(workflow, found.sampler));
}

/** Put the switch on: numbers, LCM's parts awake or put in; all that was before is kept. */
export function switchOn(
  workflow: Workflow,
  found: Found,
  preset: LcmPreset,
  file: string | null = null,
): readonly Change[] {
  const insertion = file === null ? null : insertLcmLora(workflow, found, file);
  if (insertion === null) return numbersOn(workflow, found, preset, null);
  const [after] = applyChange(workflow, insertion.change);
  const now = findSettings(after, found.sampler);
  return [insertion.change, ...numbersOn(after, now, preset, insertion.at)];
}

/** Put the switch off: the old numbers; the LoRA that it put in leaves, other parts of LCM are bypassed. */
export function switchOff(workflow: Workflow, found: Found, plain: LcmPlain): readonly Change[] {
  const before = kept(workflow, found);
  const { [pathOf(found.sampler)]: _gone, ...others } = keptAll(workflow);
  if (before === null) return [...ordinary(workflow, found, plain), ...modes(found, "bypassed")];
  const values = list(before["values"]).flatMap((entry) => restored(workflow, entry));
  const inserted = placeIn(before["inserted"]);
  const spared = new Set([
    ...list(before["values"]).map((entry) => isObject(entry) && entry["node"]),
    inserted?.node,
  ]);
  const out = inserted === null ? null : takeOut(workflow, inserted);
  const changes = [...values, ...modes(found, "bypassed", spared), keep(workflow, others)];
  return out === null ? changes : [...changes, out];
}

/** What a workflow that was saved with LCM on gets when it goes off. */
export interface LcmPlain {
  readonly steps: number;
  readonly cfg: number;
  readonly method: string;
  readonly scheduler: string;
}

// --- pieces --------------------------------------------------------------------------------------

function numbersOn(
  workflow: Workflow,
  found: Found,
  preset: LcmPreset,
  inserted: Place | null,
): readonly Change[] {
  const wanted: readonly (readonly [Setting | null, Json])[] = [
    [found.steps, preset.steps],
    [found.cfg, preset.cfg],
    [found.method, preset.sampler_name],
    [found.scheduler, preset.scheduler],
    [found.lcm.other, "lcm"],
  ];
  const set = wanted.flatMap(([setting, value]) =>
    setting?.field ? [{ field: setting.field, value }] : [],
  );
  const values = set.map(({ field }) => remembered(workflow, field));
  const before =
    inserted === null
      ? { values }
      : { values, inserted: { graph: inserted.graph, node: inserted.node } };
  return [
    ...set.map(({ field, value }) => setField(workflow, field, value)),
    ...modes(found, "always"),
    keep(workflow, { ...keptAll(workflow), [pathOf(found.sampler)]: before }),
  ];
}

function placeIn(entry: Json | undefined): Place | null {
  if (!isObject(entry)) return null;
  const { graph, node } = entry;
  return typeof graph === "string" && typeof node === "string"
    ? { graph, node, inside: null }
    : null;
}

/** LCM's parts in a mode: awake, or looked through; not those that get their old value back. */
function modes(
  found: Found,
  mode: Mode,
  except: ReadonlySet<unknown> = new Set(),
): readonly Change[] {
  const parts = [...found.lcm.loras, ...found.lcm.samplings].filter((at) => !except.has(at.node));
  return parts.map(
    ({ graph, node }): Change => ({ kind: "edit-node", graph, node, fields: { mode } }),
  );
}

function ordinary(workflow: Workflow, found: Found, plain: LcmPlain): readonly Change[] {
  const wanted: readonly (readonly [Setting | null, Json])[] = [
    [found.steps, plain.steps],
    [found.cfg, plain.cfg],
    [found.method, plain.method],
    [found.scheduler, plain.scheduler],
  ];
  return wanted.flatMap(([setting, value]) =>
    setting?.field ? [setField(workflow, setting.field, value)] : [],
  );
}

function valueIn(workflow: Workflow, setting: Setting | null): Json | undefined {
  return setting?.field ? readField(workflow, setting.field) : undefined;
}

function remembered(workflow: Workflow, { at, name }: Field): JsonObject {
  const value = readField(workflow, { at, name }) ?? null;
  return { graph: at.graph, node: at.node, name, value };
}

function restored(workflow: Workflow, entry: Json): readonly Change[] {
  if (!isObject(entry)) return [];
  const { graph, node, name, value } = entry;
  const named = typeof name === "string" || typeof name === "number";
  if (typeof graph !== "string" || typeof node !== "string" || !named) return [];
  const field: Field = { at: { graph, node, inside: null }, name };
  return nodeAt(workflow, field.at) ? [setField(workflow, field, value ?? null)] : [];
}

function kept(workflow: Workflow, found: Found): JsonObject | null {
  const before = keptAll(workflow)[pathOf(found.sampler)];
  return isObject(before) ? before : null;
}

function keptAll(workflow: Workflow): JsonObject {
  const all = workflow.top.panel["lcm"];
  return isObject(all) ? all : {};
}

function keep(workflow: Workflow, all: JsonObject): Change {
  const { lcm: _before, ...panel } = workflow.top.panel;
  const next = Object.keys(all).length === 0 ? panel : { ...panel, lcm: all };
  return { kind: "set-panel", graph: TOP, panel: next };
}

function list(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

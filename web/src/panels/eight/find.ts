/** The eight settings of any workflow, found by walking back from its samplers. Pure. */

import { type GraphNode, TOP, type Workflow } from "../../model/document";
import { isEqual } from "../../model/equal";
import { type Field, fieldOf, readField } from "./fields";
import {
  behind,
  directlyBehind,
  everyPlace,
  nodeAt,
  type Place,
  pathOf,
  type Source,
  slotNamed,
  sourceOfInput,
} from "./walk";

/** A setting: the node's input that it is, and the field that sets it (null: it is computed). */
export interface Setting {
  readonly at: Place;
  readonly input: string;
  readonly field: Field | null;
}

/** A prompt: the text encoder and its text. */
export type Prompt = Setting;

/** What a sampler's settings are, and where; null is what the workflow has no node for. */
export interface Found {
  readonly sampler: Place;
  readonly seed: Setting | null;
  readonly steps: Setting | null;
  readonly cfg: Setting | null;
  readonly method: Setting | null;
  readonly scheduler: Setting | null;
  readonly denoise: Setting | null;
  readonly positive: readonly Prompt[];
  readonly negative: readonly Prompt[];
  readonly embeddings: readonly Setting[];
  readonly clipSkip: Setting | null;
  readonly vae: FoundVae | null;
  readonly lcm: FoundLcm;
}

/** Where decoders get their VAE; `setting` is the file's name if a loader of its own gives it. */
export interface FoundVae {
  readonly decoders: readonly Place[];
  readonly source: Extract<Source, { kind: "node" }> | null;
  readonly setting: Setting | null;
}

/** What of LCM stands between the model and the sampler, also what is bypassed now. */
export interface FoundLcm {
  readonly loras: readonly Place[];
  /** Nodes that sample as LCM does. */
  readonly samplings: readonly Place[];
  /** A node that says that the model predicts noise, which is where LCM's way differs little. */
  readonly other: Setting | null;
}

/** The names of a node type's inputs, as far as it is known. */
export type InputNames = (type: string) => readonly string[];

const SEED = ["seed", "noise_seed"];
const STEPS = ["steps"];
const CFG = ["cfg", "cfg_conds", "cfg_scale", "guidance"];
const METHOD = ["sampler_name", "sampler"];
const SCHEDULER = ["scheduler"];
const DENOISE = ["denoise"];
const TEXTS = ["text", "text_g", "prompt", "text_l", "clip_l", "t5xxl", "string", "wildcard_text"];
const POSITIVE = ["positive", "cond1", "conditioning", "cond2"];
const NEGATIVE = ["negative"];

const CONDITIONING = new Set(["CONDITIONING"]);
const CLIP = new Set(["CLIP"]);
const MODEL = new Set(["MODEL"]);
const LATENT = new Set(["LATENT"]);
const NOTHING_KNOWN: InputNames = () => [];

/** The samplers of a workflow: those whose pictures are decoded first, deepest in the graph last. */
export function findSamplers(
  workflow: Workflow,
  names: InputNames = NOTHING_KNOWN,
): readonly Place[] {
  return [...everyPlace(workflow)].filter((place) => {
    const node = nodeAt(workflow, place);
    return node !== undefined && isSampler(node, names);
  });
}

/** Whether two workflows have the same samplers for certain: they differ in values at most. */
export function isSameWiring(one: Workflow, other: Workflow): boolean {
  if (one.subgraphs !== other.subgraphs || one.top.nodes.size !== other.top.nodes.size)
    return false;
  const before = one.top.nodes.values();
  for (const node of other.top.nodes.values()) {
    const earlier = before.next().value;
    if (earlier !== node && (earlier === undefined || !isSameBesidesValues(earlier, node))) {
      return false;
    }
  }
  return true;
}

function isSameBesidesValues(one: GraphNode, other: GraphNode): boolean {
  return (
    one.id === other.id &&
    one.type === other.type &&
    one.mode === other.mode &&
    one.inputs === other.inputs &&
    isEqual(Object.keys(one.values), Object.keys(other.values))
  );
}

/** The settings of one sampler. */
export function findSettings(
  workflow: Workflow,
  sampler: Place,
  names: InputNames = NOTHING_KNOWN,
): Found {
  const look = new Look(workflow, names);
  const guider = look.behindInput(sampler, "GUIDER") ?? sampler;
  const positive = look.prompts(guider, POSITIVE);
  const negative = look.prompts(guider, NEGATIVE);
  return {
    sampler,
    seed: look.setting(sampler, SEED, "NOISE"),
    steps: look.setting(sampler, STEPS, "SIGMAS"),
    cfg: look.setting(sampler, CFG, "GUIDER"),
    method: look.setting(sampler, METHOD, "SAMPLER"),
    scheduler: look.setting(sampler, SCHEDULER, "SIGMAS"),
    denoise: look.setting(sampler, DENOISE, "SIGMAS"),
    positive,
    negative,
    embeddings: look.embeddings([...positive, ...negative]),
    clipSkip: look.clipSkip([...positive, ...negative]),
    vae: findVae(workflow, sampler, names),
    lcm: look.lcm(guider),
  };
}

/** The decoders that show what a sampler makes (it may be one itself), and the VAE that they use. */
export function findVae(workflow: Workflow, sampler: Place, names: InputNames): FoundVae | null {
  const decoders = decodersOf(workflow, sampler, names);
  const [first] = decoders;
  if (first === undefined) return null;
  const source = sourceOfInput(workflow, first, "vae");
  if (source.kind !== "node") return { decoders, source: null, setting: null };
  const look = new Look(workflow, names);
  const own = look.own(source.at, ["vae_name"]);
  return { decoders, source, setting: own };
}

/** Whether a node removes noise: it has the settings itself, or takes them as sockets. */
export function isSampler(node: GraphNode, names: InputNames): boolean {
  if (takes(node, "SAMPLER") && takes(node, "SIGMAS")) return true;
  if (!takes(node, "LATENT") || !(takes(node, "MODEL") || takes(node, "GUIDER"))) return false;
  const known = names(node.type);
  const has = (name: string) =>
    Object.hasOwn(node.values, name) ||
    known.includes(name) ||
    node.inputs.some((slot) => slot.name === name);
  return [STEPS, CFG, METHOD].filter((wanted) => wanted.some(has)).length >= 2;
}

/** Looks things up in one workflow. */
class Look {
  constructor(
    private readonly workflow: Workflow,
    private readonly names: InputNames,
  ) {}

  /** A node's own input of one of these names that holds a value. */
  own(at: Place, wanted: readonly string[]): Setting | null {
    const node = nodeAt(this.workflow, at);
    if (node === undefined) return null;
    const known = this.names(node.type);
    const input = wanted.find((name) => holds(node, name) || known.includes(name));
    if (input === undefined) return null;
    const slot = node.inputs[slotNamed(this.workflow, at, input)];
    if (slot !== undefined && slot.widget === undefined && isSocket(slot.type)) return null;
    return { at, input, field: fieldOf(this.workflow, at, input) };
  }

  /** The sampler's own setting, or that of the nodes behind its sockets of a type. */
  setting(sampler: Place, wanted: readonly string[], type: string): Setting | null {
    const own = this.own(sampler, wanted);
    if (own !== null) return own;
    for (const at of behind(this.workflow, sampler, new Set([type]))) {
      const found = this.own(at, wanted);
      if (found !== null) return found;
    }
    return null;
  }

  /** The node behind a socket of a type. */
  behindInput(at: Place, type: string): Place | null {
    return directlyBehind(this.workflow, at, new Set([type]))[0] ?? null;
  }

  /** The texts that a guider's or sampler's conditioning comes from. */
  prompts(guider: Place, wanted: readonly string[]): readonly Prompt[] {
    const found = new Map<string, Prompt>();
    for (const name of wanted) {
      const source = sourceOfInput(this.workflow, guider, name);
      if (source.kind !== "node") continue;
      for (const at of withItself(source.at, behind(this.workflow, source.at, CONDITIONING))) {
        for (const text of this.texts(at)) found.set(`${pathOf(at)}.${text.input}`, text);
      }
    }
    return [...found.values()];
  }

  /** The layer at which the text encoders behind prompts stop. */
  clipSkip(prompts: readonly Prompt[]): Setting | null {
    return this.onTheWay(prompts, CLIP, ["stop_at_clip_layer"])[0] ?? null;
  }

  /** The embeddings that nodes load for the text encoders behind prompts. */
  embeddings(prompts: readonly Prompt[]): readonly Setting[] {
    return this.onTheWay(prompts, CLIP, ["embedding_name"]);
  }

  lcm(guider: Place): FoundLcm {
    const places = [...behind(this.workflow, guider, MODEL), ...this.asleep()];
    const says = (at: Place, input: string, wanted: RegExp) => {
      const setting = this.own(at, [input]);
      const value = setting?.field ? readField(this.workflow, setting.field) : undefined;
      return typeof value === "string" && wanted.test(value);
    };
    const samplings = places.filter((at) => says(at, "sampling", /^lcm$/));
    const others = places.filter((at) => says(at, "sampling", /^eps$/));
    return {
      loras: places.filter((at) => says(at, "lora_name", /lcm/i)),
      samplings,
      other: others[0] === undefined ? null : this.own(others[0], ["sampling"]),
    };
  }

  /** Nodes that are bypassed: they are not on the way, but can be woken. */
  private asleep(): readonly Place[] {
    const nodes = [...this.workflow.top.nodes.values()];
    return nodes
      .filter((node) => node.mode === "bypassed")
      .map((node) => ({ graph: TOP, node: node.id, inside: null }));
  }

  private texts(at: Place): readonly Prompt[] {
    const node = nodeAt(this.workflow, at);
    if (node === undefined || !node.inputs.some((slot) => slot.type === "CLIP")) return [];
    return TEXTS.map((name) => this.own(at, [name])).filter((found) => found !== null);
  }

  private onTheWay(
    prompts: readonly Prompt[],
    types: ReadonlySet<string>,
    wanted: readonly string[],
  ): readonly Setting[] {
    const found = new Map<string, Setting>();
    for (const prompt of prompts) {
      for (const at of behind(this.workflow, prompt.at, types)) {
        const setting = this.own(at, wanted);
        if (setting !== null) found.set(pathOf(at), setting);
      }
    }
    return [...found.values()];
  }
}

function decodersOf(workflow: Workflow, sampler: Place, names: InputNames): readonly Place[] {
  const wanted = pathOf(sampler);
  const near: Place[] = [];
  const far: Place[] = [];
  for (const place of everyPlace(workflow)) {
    const node = nodeAt(workflow, place);
    if (node === undefined || !isDecoder(node)) continue;
    if (pathOf(place) === wanted) near.push(place);
    let samplers = 0;
    for (const at of behind(workflow, place, LATENT)) {
      const found = nodeAt(workflow, at);
      if (found === undefined || !isSampler(found, names)) continue;
      samplers += 1;
      if (pathOf(at) === wanted) (samplers === 1 ? near : far).push(place);
    }
  }
  return near.length > 0 ? near : far;
}

function isDecoder(node: GraphNode): boolean {
  return takes(node, "VAE") && takes(node, "LATENT");
}

function takes(node: GraphNode, type: string): boolean {
  return node.inputs.some((slot) => slot.type === type);
}

function holds(node: GraphNode, name: string): boolean {
  if (Object.hasOwn(node.values, name)) return true;
  return node.inputs.some(
    (slot) => slot.widget === name || (slot.name === name && !isSocket(slot.type)),
  );
}

const WIDGET_TYPES = new Set(["INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "*"]);

function isSocket(type: string): boolean {
  return !WIDGET_TYPES.has(type);
}

function* withItself(first: Place, others: Iterable<Place>): Generator<Place> {
  yield first;
  yield* others;
}

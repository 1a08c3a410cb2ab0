import { describe, expect, it } from "vitest";
import { applyChange, batch, type Change } from "../../model/changes";
import { TOP, type Workflow } from "../../model/document";
import type { Json } from "../../model/json";
import { parseNative, toNative } from "../../model/native";
import { makeSubgraph } from "../../model/subgraphs";
import { chooseVae, dropVae, insertClipSkip, insertLcmLora } from "./edits";
import { readField, setField } from "./fields";
import { type Found, findSamplers, findSettings, isSameWiring, type Setting } from "./find";
import { isLcmOn, type LcmPreset, lcmLora, lcmPart, presetFor, switchOff, switchOn } from "./lcm";
import { movedPanel } from "./moved";
import { pinsOf, placeAt, togglePin } from "./pins";
import { pathOf } from "./walk";

type Ends = readonly [from: string, fromSlot: number, to: string, toSlot: number, type: string];
interface Drawn {
  readonly id: string;
  readonly type: string;
  readonly [field: string]: unknown;
}

const socket = (name: string, type: string) => ({ name, type });
const widget = (name: string, type: string) => ({ name, type, widget: name });
const clipText = (id: string, text: string): Drawn => ({
  id,
  type: "CLIPTextEncode",
  values: { text },
  inputs: [socket("clip", "CLIP"), widget("text", "STRING")],
  outputs: [socket("CONDITIONING", "CONDITIONING")],
});
const checkpoint: Drawn = {
  id: "1",
  type: "CheckpointLoaderSimple",
  values: { ckpt_name: "graphengine-starter.safetensors" },
  outputs: [socket("MODEL", "MODEL"), socket("CLIP", "CLIP"), socket("VAE", "VAE")],
};
const SAMPLING = { seed: 1, steps: 20, cfg: 7, sampler_name: "euler", scheduler: "normal" };
const sampler = (id: string, values: object = SAMPLING): Drawn => ({
  id,
  type: "KSampler",
  values: { ...values, denoise: 1 },
  inputs: [
    socket("model", "MODEL"),
    socket("positive", "CONDITIONING"),
    socket("negative", "CONDITIONING"),
    socket("latent_image", "LATENT"),
    widget("seed", "INT"),
    widget("steps", "INT"),
  ],
  outputs: [socket("LATENT", "LATENT")],
});
const decode = (id: string): Drawn => ({
  id,
  type: "VAEDecode",
  inputs: [socket("samples", "LATENT"), socket("vae", "VAE")],
  outputs: [socket("IMAGE", "IMAGE")],
});
const PLAIN: readonly Ends[] = [
  ["1", 0, "5", 0, "MODEL"],
  ["1", 1, "2", 0, "CLIP"],
  ["1", 1, "3", 0, "CLIP"],
  ["2", 0, "5", 1, "CONDITIONING"],
  ["3", 0, "5", 2, "CONDITIONING"],
  ["5", 0, "6", 0, "LATENT"],
  ["1", 2, "6", 1, "VAE"],
];

function drawn(nodes: readonly Drawn[], ends: readonly Ends[], more: object = {}): Workflow {
  return parseNative({ format: "graphengine workflow", version: 1, ...body(nodes, ends), ...more });
}

function body(nodes: readonly Drawn[], ends: readonly Ends[]): { [name: string]: Json } {
  const links = ends.map(([from, fromSlot, to, toSlot, type], at) => ({
    id: String(at + 1),
    from: [from, fromSlot],
    to: [to, toSlot],
    type,
  }));
  return { nodes: nodes as unknown as Json, links: links as unknown as Json };
}

const textToImage = (...more: Drawn[]) =>
  drawn(
    [
      checkpoint,
      clipText("2", "a cat"),
      clipText("3", "blurry"),
      sampler("5"),
      decode("6"),
      ...more,
    ],
    PLAIN,
  );

function settings(workflow: Workflow, at = 0): Found {
  const place = findSamplers(workflow)[at];
  if (place === undefined) throw new Error("there is no sampler");
  return findSettings(workflow, place);
}

function value(workflow: Workflow, setting: Setting | null | undefined): Json | undefined {
  return setting?.field ? readField(workflow, setting.field) : undefined;
}

function changed(workflow: Workflow, change: Change | readonly Change[] | null): Workflow {
  if (change === null) throw new Error("there is no change");
  return applyChange(workflow, "kind" in change ? change : batch(change))[0];
}

describe("what samplers are found by", () => {
  const workflow = textToImage();
  const sampled: Change = {
    kind: "set-value",
    graph: TOP,
    node: "2",
    name: "steps",
    value: 4,
  };

  it("stays the same while a text is typed", () => {
    const typed: Change = { kind: "set-value", graph: TOP, node: "2", name: "text", value: "a" };
    expect(isSameWiring(workflow, changed(workflow, typed))).toBe(true);
  });

  it.each<[string, Change]>([
    ["a value of another name", sampled],
    ["a node muted", { kind: "edit-node", graph: TOP, node: "5", fields: { mode: "muted" } }],
    ["a node removed", { kind: "remove", graph: TOP, nodes: ["5"] }],
    ["inputs", { kind: "edit-node", graph: TOP, node: "5", fields: { inputs: [] } }],
  ])("is another after %s", (_, change) => {
    expect(isSameWiring(workflow, changed(workflow, change))).toBe(false);
  });
});

describe("the settings of a plain workflow", () => {
  const workflow = textToImage();
  const found = settings(workflow);

  it("are those of its sampler", () => {
    const all = [found.seed, found.steps, found.cfg, found.method, found.scheduler];
    expect(all.map((one) => value(workflow, one))).toEqual([1, 20, 7, "euler", "normal"]);
  });

  it("tell the prompts apart and which VAE is used", () => {
    expect(found.positive.map((one) => value(workflow, one))).toEqual(["a cat"]);
    expect(found.negative.map((one) => value(workflow, one))).toEqual(["blurry"]);
    expect(found.vae?.setting).toBeNull();
    expect(found.vae?.source?.at.node).toBe("1");
  });

  it("have no clip skip until one is put before both text encoders", () => {
    expect(found.clipSkip).toBeNull();
    const after = changed(workflow, insertClipSkip(workflow, found, -2));
    const again = settings(after);
    expect(value(after, again.clipSkip)).toBe(-2);
    const ends = [...after.top.links.values()].map((link) => `${link.from}>${link.to}`);
    expect(ends.sort()).toEqual(["1>5", "1>6", "1>7", "2>5", "3>5", "5>6", "7>2", "7>3"]);
  });

  it("use another VAE for the decoder, and the checkpoint's again", () => {
    const after = changed(workflow, chooseVae(workflow, found, "vivid.safetensors"));
    const chosen = settings(after);
    expect(value(after, chosen.vae?.setting)).toBe("vivid.safetensors");
    const other = changed(after, chooseVae(after, chosen, "soft.safetensors"));
    expect(value(other, settings(other).vae?.setting)).toBe("soft.safetensors");
    expect(other.top.nodes.size).toBe(6);
    const back = changed(other, dropVae(other, settings(other)));
    expect(toNative(back)["nodes"]).toEqual(toNative(workflow)["nodes"]);
    expect(settings(back).vae?.source?.slot).toBe(2);
  });

  it("come back exactly when an insertion is undone", () => {
    const change = insertClipSkip(workflow, found, -2);
    if (change === null) throw new Error("nothing to insert");
    const [after, inverse] = applyChange(workflow, change);
    expect(toNative(applyChange(after, inverse)[0])).toEqual(toNative(workflow));
  });
});

describe("values that are set elsewhere", () => {
  const steps = (node: Drawn) =>
    drawn(
      [checkpoint, clipText("2", "a"), clipText("3", "b"), sampler("5"), decode("6"), node],
      [...PLAIN, ["8", 0, "5", 5, "INT"]],
    );

  it("are changed at the primitive that gives them", () => {
    for (const node of [
      { id: "8", type: "PrimitiveNode", unnamed_values: [12, "fixed"] },
      { id: "8", type: "PrimitiveInt", values: { value: 12 } },
    ]) {
      const workflow = steps(node);
      const found = settings(workflow);
      expect(value(workflow, found.steps)).toBe(12);
      if (!found.steps?.field) throw new Error("no field");
      const after = changed(workflow, setField(workflow, found.steps.field, 30));
      expect(value(after, settings(after).steps)).toBe(30);
      expect(after.top.nodes.get("5")?.values["steps"]).toBe(20);
    }
  });

  it("are no fields if a node computes them", () => {
    const workflow = steps({ id: "8", type: "Sum", values: { a: 1, b: 2 } });
    expect(settings(workflow).steps).toMatchObject({ input: "steps", field: null });
  });

  it("are found through reroutes and bypassed nodes", () => {
    const lora: Drawn = {
      id: "8",
      type: "LoraLoader",
      mode: "bypassed",
      values: { lora_name: "style.safetensors" },
      inputs: [socket("model", "MODEL"), socket("clip", "CLIP")],
      outputs: [socket("MODEL", "MODEL"), socket("CLIP", "CLIP")],
    };
    const reroute = { id: "9", type: "Reroute", inputs: [socket("", "*")] };
    const skip: Drawn = {
      id: "10",
      type: "CLIPSetLastLayer",
      values: { stop_at_clip_layer: -2 },
      inputs: [socket("clip", "CLIP")],
      outputs: [socket("CLIP", "CLIP")],
    };
    const workflow = drawn(
      [checkpoint, lora, reroute, skip, clipText("2", "a"), sampler("5")],
      [
        ["1", 1, "10", 0, "CLIP"],
        ["10", 0, "8", 1, "CLIP"],
        ["8", 1, "9", 0, "CLIP"],
        ["9", 0, "2", 0, "*"],
        ["2", 0, "5", 1, "CONDITIONING"],
      ],
    );
    expect(value(workflow, settings(workflow).clipSkip)).toBe(-2);
  });
});

describe("sampling put together from parts", () => {
  it("has its settings in the parts", () => {
    const part = (id: string, type: string, values: object, inputs: object[] = []): Drawn => ({
      id,
      type,
      values,
      inputs,
    });
    const workflow = drawn(
      [
        checkpoint,
        clipText("2", "a cat"),
        clipText("3", "blurry"),
        part("10", "RandomNoise", { noise_seed: 9 }),
        part("11", "CFGGuider", { cfg: 4 }, [
          socket("model", "MODEL"),
          socket("positive", "CONDITIONING"),
          socket("negative", "CONDITIONING"),
        ]),
        part("12", "KSamplerSelect", { sampler_name: "ddim" }),
        part("13", "BasicScheduler", { scheduler: "karras", steps: 8, denoise: 1 }, [
          socket("model", "MODEL"),
        ]),
        part("15", "SplitSigmas", { step: 2 }, [socket("sigmas", "SIGMAS")]),
        part("14", "SamplerCustomAdvanced", {}, [
          socket("noise", "NOISE"),
          socket("guider", "GUIDER"),
          socket("sampler", "SAMPLER"),
          socket("sigmas", "SIGMAS"),
          socket("latent_image", "LATENT"),
        ]),
        decode("6"),
      ],
      [
        ["10", 0, "14", 0, "NOISE"],
        ["11", 0, "14", 1, "GUIDER"],
        ["12", 0, "14", 2, "SAMPLER"],
        ["13", 0, "15", 0, "SIGMAS"],
        ["15", 0, "14", 3, "SIGMAS"],
        ["1", 0, "11", 0, "MODEL"],
        ["1", 0, "13", 0, "MODEL"],
        ["2", 0, "11", 1, "CONDITIONING"],
        ["3", 0, "11", 2, "CONDITIONING"],
        ["1", 1, "2", 0, "CLIP"],
        ["1", 1, "3", 0, "CLIP"],
        ["14", 0, "6", 0, "LATENT"],
        ["1", 2, "6", 1, "VAE"],
      ],
    );
    expect(findSamplers(workflow).map(pathOf)).toEqual(["14"]);
    const found = settings(workflow);
    const all = [found.seed, found.steps, found.cfg, found.method, found.scheduler];
    expect(all.map((one) => value(workflow, one))).toEqual([9, 8, 4, "ddim", "karras"]);
    expect(value(workflow, found.negative[0])).toBe("blurry");
    expect(found.vae?.source?.at.node).toBe("1");
    const insertion = insertLcmLora(workflow, found, "lcm.safetensors");
    const after = changed(workflow, insertion?.change ?? null);
    expect(settings(after).lcm.loras.length).toBe(1);
    const models = [...after.top.links.values()].filter((link) => ["11", "13"].includes(link.to));
    expect(models.filter((link) => link.type === "MODEL").map((link) => link.from)).toEqual([
      "16",
      "16",
    ]);
  });
});

describe("a sampler in a subgraph", () => {
  const instance = (more: object): Workflow =>
    drawn([{ id: "20", type: "sub", inputs: [widget("steps", "INT")], ...more }], [], {
      subgraphs: [
        {
          id: "sub",
          name: "Sampling",
          inputs: [{ name: "steps", type: "INT" }],
          ...body(
            [checkpoint, clipText("2", "a"), clipText("3", "b"), sampler("5"), decode("6")],
            [...PLAIN, ["-10", 0, "5", 5, "INT"]],
          ),
        },
      ],
    });

  it("is found by its path, and its value at the instance that gives it", () => {
    const workflow = instance({ values: { steps: 33 } });
    expect(findSamplers(workflow).map(pathOf)).toEqual(["20:5"]);
    const found = settings(workflow);
    expect(value(workflow, found.steps)).toBe(33);
    expect(found.steps?.field?.at.node).toBe("20");
    expect(value(workflow, found.cfg)).toBe(7);
  });

  it("has its own value if the instance gives none", () => {
    const workflow = instance({});
    expect(value(workflow, settings(workflow).steps)).toBe(20);
  });

  it("has the value that the instance gives a widget by its proxies", () => {
    const properties = { proxyWidgets: [["5", "cfg"]] };
    const workflow = instance({ values: { cfg: 3 }, inputs: [], properties });
    expect(value(workflow, settings(workflow).cfg)).toBe(3);
  });
});

describe("the LCM switch", () => {
  const PLAIN_NUMBERS = { steps: 20, cfg: 7, method: "euler", scheduler: "normal" };
  const presets: readonly LcmPreset[] = [
    row("starter", ["graphengine-starter"], 4, 1),
    row("sd15", [], 6, 1.5),
  ];

  function row(family: string, checkpoints: readonly string[], steps: number, cfg: number) {
    const lora = `${family}-lcm.safetensors`;
    return { family, checkpoints, lora, steps, cfg, sampler_name: "lcm", scheduler: "sgm_uniform" };
  }

  const numbers = (workflow: Workflow) => {
    const found = settings(workflow);
    const all = [found.steps, found.cfg, found.method, found.scheduler];
    return all.map((one) => value(workflow, one));
  };

  it("sets the numbers of the checkpoint's family and gives the old ones back", () => {
    const workflow = textToImage();
    const preset = presetFor(presets, workflow, settings(workflow));
    if (preset === undefined) throw new Error("no preset");
    const on = changed(workflow, switchOn(workflow, settings(workflow), preset));
    expect(numbers(on)).toEqual([4, 1, "lcm", "sgm_uniform"]);
    expect(isLcmOn(on, settings(on))).toBe(true);
    const off = changed(on, switchOff(on, settings(on), PLAIN_NUMBERS));
    expect(toNative(off)).toEqual(toNative(workflow));
  });

  it("puts LCM's parts in with the numbers, and takes them out again", () => {
    const workflow = textToImage();
    const preset = presets[0] as LcmPreset;
    const on = changed(workflow, switchOn(workflow, settings(workflow), preset, "lcm.safetensors"));
    expect(numbers(on)).toEqual([4, 1, "lcm", "sgm_uniform"]);
    expect(settings(on).lcm.loras.length).toBe(1);
    expect(lcmPart(presets, on, settings(on), ["starter-lcm.safetensors"])).toBeNull();
    const off = changed(on, switchOff(on, settings(on), PLAIN_NUMBERS));
    expect(toNative(off)).toEqual(toNative(workflow));
  });

  it("leaves the model of other samplers alone", () => {
    const workflow = drawn(
      [checkpoint, sampler("5"), sampler("7")],
      [
        ["1", 0, "5", 0, "MODEL"],
        ["1", 0, "7", 0, "MODEL"],
      ],
    );
    const found = settings(workflow, 1);
    const on = changed(workflow, switchOn(workflow, found, presets[0] as LcmPreset, "lcm.sft"));
    expect(settings(on, 1).lcm.loras.length).toBe(1);
    expect(settings(on, 0).lcm.loras.length).toBe(0);
    const off = changed(on, switchOff(on, settings(on, 1), PLAIN_NUMBERS));
    expect(toNative(off)).toEqual(toNative(workflow));
  });

  it("bypasses an LCM LoRA that was there before, and wakes it again", () => {
    const lora: Drawn = {
      id: "8",
      type: "LoraLoaderModelOnly",
      values: { lora_name: "my-lcm.safetensors" },
      inputs: [socket("model", "MODEL")],
      outputs: [socket("MODEL", "MODEL")],
    };
    const values = { seed: 1, steps: 4, cfg: 1, sampler_name: "lcm", scheduler: "sgm_uniform" };
    const workflow = drawn(
      [checkpoint, lora, sampler("5", values)],
      [
        ["1", 0, "8", 0, "MODEL"],
        ["8", 0, "5", 0, "MODEL"],
      ],
    );
    const mode = (of: Workflow) => of.top.nodes.get("8")?.mode;
    const off = changed(workflow, switchOff(workflow, settings(workflow), PLAIN_NUMBERS));
    expect([...numbers(off), mode(off)]).toEqual([20, 7, "euler", "normal", "bypassed"]);
    const on = changed(off, switchOn(off, settings(off), presets[0] as LcmPreset));
    expect([...numbers(on), mode(on)]).toEqual([4, 1, "lcm", "sgm_uniform", "always"]);
  });

  it("works inside a subgraph whose model comes from outside", () => {
    const workflow = drawn(
      [checkpoint, { id: "20", type: "sub", inputs: [socket("model", "MODEL")] }],
      [["1", 0, "20", 0, "MODEL"]],
      {
        subgraphs: [
          {
            id: "sub",
            name: "Sampling",
            inputs: [{ name: "model", type: "MODEL" }],
            ...body([sampler("5")], [["-10", 0, "5", 0, "MODEL"]]),
          },
        ],
      },
    );
    const preset = presetFor(presets, workflow, settings(workflow));
    expect(preset?.family).toBe("starter");
    const on = changed(
      workflow,
      switchOn(workflow, settings(workflow), preset as LcmPreset, "lcm.sft"),
    );
    expect(settings(on).lcm.loras.map(pathOf)).toEqual(["20:6"]);
    expect(on.top.nodes.size).toBe(2);
    const off = changed(on, switchOff(on, settings(on), PLAIN_NUMBERS));
    expect(toNative(off)).toEqual(toNative(workflow));
  });

  it("changes a node that says how to sample, and changes it back", () => {
    const sampling: Drawn = {
      id: "9",
      type: "ModelSamplingDiscrete",
      values: { sampling: "eps" },
      inputs: [socket("model", "MODEL")],
    };
    const workflow = drawn(
      [checkpoint, sampling, sampler("5")],
      [
        ["1", 0, "9", 0, "MODEL"],
        ["9", 0, "5", 0, "MODEL"],
      ],
    );
    const says = (of: Workflow) => of.top.nodes.get("9")?.values["sampling"];
    const on = changed(workflow, switchOn(workflow, settings(workflow), presets[0] as LcmPreset));
    expect(says(on)).toBe("lcm");
    const off = changed(on, switchOff(on, settings(on), PLAIN_NUMBERS));
    expect([says(off), off.top.nodes.get("9")?.mode]).toEqual(["eps", "always"]);
  });

  it("gives ordinary numbers to a workflow that was saved with LCM", () => {
    const values = { seed: 1, steps: 4, cfg: 1, sampler_name: "lcm", scheduler: "sgm_uniform" };
    const workflow = drawn([checkpoint, sampler("5", values)], [["1", 0, "5", 0, "MODEL"]]);
    expect(isLcmOn(workflow, settings(workflow))).toBe(true);
    const off = changed(workflow, switchOff(workflow, settings(workflow), PLAIN_NUMBERS));
    expect(numbers(off)).toEqual([20, 7, "euler", "normal"]);
  });

  it("prefers the preset's own LoRA, then one of its family", () => {
    const installed = ["other-LCM.safetensors", "sub/sd15-lcm.safetensors"];
    expect(lcmLora(presets, presets[1], installed)).toBe("sub/sd15-lcm.safetensors");
    expect(lcmLora(presets, presets[1], ["other-LCM.safetensors"])).toBe("other-LCM.safetensors");
    expect(lcmLora(presets, presets[0], installed)).toBeNull();
    expect(lcmLora(presets, presets[1], ["style.safetensors"])).toBeNull();
  });

  it("needs no LoRA where the model was trained for few steps itself", () => {
    const model = { ...checkpoint, values: { ckpt_name: "LCM_Dreamshaper_v7.safetensors" } };
    const workflow = drawn([model, sampler("5")], [["1", 0, "5", 0, "MODEL"]]);
    expect(lcmPart(presets, workflow, settings(workflow), ["other-lcm.safetensors"])).toBeNull();
  });
});

describe("several samplers", () => {
  it("have settings of their own, and each knows its decoder", () => {
    const second = sampler("7", { ...SAMPLING, steps: 8 });
    const workflow = drawn(
      [checkpoint, sampler("5"), second, decode("6")],
      [
        ["5", 0, "7", 3, "LATENT"],
        ["7", 0, "6", 0, "LATENT"],
        ["1", 2, "6", 1, "VAE"],
      ],
    );
    expect(value(workflow, settings(workflow, 1).steps)).toBe(8);
    expect(settings(workflow, 0).vae?.decoders.map(pathOf)).toEqual(["6"]);
  });
});

describe("a sampler that decodes its own pictures", () => {
  it("has its VAE at itself", () => {
    const plain = sampler("5");
    const inputs = [...(plain["inputs"] as object[]), socket("vae", "VAE")];
    const strip = { ...plain, type: "KSamplerFilmstrip", inputs };
    const workflow = drawn([checkpoint, strip], [["1", 2, "5", 6, "VAE"]]);
    expect(settings(workflow).vae?.source?.at.node).toBe("1");
  });
});

describe("pins", () => {
  it("are added, found by path, and taken off", () => {
    const workflow = textToImage();
    const pin = { node: "5", input: "denoise" };
    const pinned = changed(workflow, togglePin(workflow, pin));
    expect(pinsOf(pinned)).toEqual([pin]);
    expect(placeAt(pinned, "5")?.node).toBe("5");
    expect(placeAt(pinned, "5:1")).toBeNull();
    expect(toNative(changed(pinned, togglePin(pinned, pin)))).toEqual(toNative(workflow));
  });

  it("go with their nodes into a subgraph and out again, and only they", () => {
    const workflow = textToImage();
    const pinned = ["5", "2"].reduce(
      (now, node) => changed(now, togglePin(now, { node, input: "x" })),
      workflow,
    );
    const [made, instance] = makeSubgraph(pinned, TOP, new Set(["5"]), "Denoise");
    const spot = (graph: string, node: string, path: string) => ({ graph, node, path });
    const into = { from: spot(TOP, "5", "5"), to: spot("s", "5", `${instance}:5`) };
    const nested = changed(changed(pinned, made), batch(movedPanel(pinned, TOP, [into])));
    expect(pinsOf(nested).map((one) => one.node)).toEqual([`${instance}:5`, "2"]);
    const out = { from: into.to, to: spot(TOP, "17", "17") };
    const unpacked = changed(nested, batch(movedPanel(nested, TOP, [out])));
    expect(pinsOf(unpacked).map((one) => one.node)).toEqual(["17", "2"]);
    const other = { from: spot(TOP, "3", "3"), to: spot("s", "3", "9:3") };
    expect(movedPanel(nested, TOP, [other])).toEqual([]);
  });
});

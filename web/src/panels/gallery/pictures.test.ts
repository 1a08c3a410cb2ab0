import { describe, expect, it } from "vitest";
import type { JobAnswer, NodeInfo } from "../../protocol/generated";
import { duration, endedJobs, titleOf, unended } from "../queue/queue";
import { allPictures, documentOf, matches, picturesOf, settingsOf } from "./pictures";

const PROMPT = {
  "1": { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: "starter.safetensors" } },
  "2": { class_type: "CLIPTextEncode", inputs: { clip: ["1", 1], text: "a red heart" } },
  "3": { class_type: "CLIPTextEncode", inputs: { clip: ["1", 1], text: "embedding:bad, blurry" } },
  "4": { class_type: "EmptyLatentImage", inputs: { width: 64 } },
  "5": {
    class_type: "KSampler",
    inputs: {
      model: ["1", 0],
      positive: ["2", 0],
      negative: ["3", 0],
      latent_image: ["4", 0],
      seed: 123,
      steps: 20,
      cfg: 7,
      sampler_name: "euler",
      scheduler: "normal",
    },
  },
  "6": { class_type: "VAEDecode", inputs: { samples: ["5", 0], vae: ["1", 2] } },
  "7": { class_type: "SaveImage", inputs: { images: ["6", 0] } },
};

function job(fields: Partial<JobAnswer>): JobAnswer {
  return {
    id: "j",
    state: "done",
    number: 1,
    client_id: null,
    targets: [],
    created: 1,
    started: 2,
    finished: 3,
    attempts: 1,
    device: null,
    prompt: PROMPT,
    outputs: {},
    executed: [],
    cached: [],
    seconds: 1,
    error: null,
    node_errors: {},
    ...fields,
  };
}

const file = (filename: string, type = "output") => ({ filename, subfolder: "", type });

const TYPES: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  CLIPTextEncode: [["clip", "CLIP"]],
  KSampler: [
    ["model", "MODEL"],
    ["positive", "CONDITIONING"],
    ["negative", "CONDITIONING"],
    ["latent_image", "LATENT"],
  ],
  VAEDecode: [
    ["samples", "LATENT"],
    ["vae", "VAE"],
  ],
  SaveImage: [["images", "IMAGE"]],
};

const nodes = new Map(
  Object.entries(TYPES).map(([id, inputs]) => [
    id,
    {
      id,
      inputs: inputs.map(([name, type]) => ({ name, type })),
      outputs: [],
    } as unknown as NodeInfo,
  ]),
);

describe("pictures", () => {
  it("are those that were saved; those only shown where none was", () => {
    const both = job({
      outputs: { "7": { images: [file("a.png")] }, "8": { images: [file("t.png", "temp")] } },
    });
    expect(picturesOf(both).map((one) => one.file.filename)).toEqual(["a.png"]);
    const shown = job({ outputs: { "8": { images: [file("t.png", "temp")] } } });
    expect(picturesOf(shown).map((one) => one.id)).toEqual(["j/8/0"]);
  });

  it("come latest first, and are found by the words of their prompt", () => {
    const early = job({ id: "early", finished: 1, outputs: { "7": { images: [file("1.png")] } } });
    const late = job({ id: "late", finished: 9, outputs: { "7": { images: [file("2.png")] } } });
    const pictures = allPictures([early, late]);
    expect(pictures.map((one) => one.job)).toEqual(["late", "early"]);
    const [first] = pictures;
    if (first === undefined) throw new Error("no picture");
    expect(matches(late, first, "HEART red")).toBe(true);
    expect(matches(late, first, "heart blue")).toBe(false);
  });

  it("are shown once, with the job that made them, however often they were found again", () => {
    const outputs = { "7": { images: [file("1.png")] } };
    const first = job({ id: "first", finished: 1, outputs, executed: ["7"] });
    const other = { "7": { images: [file("2.png")] } };
    const between = job({ id: "between", finished: 2, outputs: other, executed: ["7"] });
    const again = job({ id: "again", finished: 9, outputs, cached: ["7"] });
    expect(allPictures([first, between, again]).map((one) => [one.job, one.again])).toEqual([
      ["between", []],
      ["first", ["again/7/0"]],
    ]);
    const alone = allPictures([between, again]).map((one) => one.job);
    expect(alone).toEqual(["again", "between"]);
  });

  it("tell the eight settings that they were made with", () => {
    const settings = Object.fromEntries(settingsOf(documentOf(PROMPT, nodes), "7"));
    expect(settings).toEqual({
      positive: "a red heart",
      negative: "embedding:bad, blurry",
      model: "starter.safetensors",
      embedding: "bad",
      method: "euler",
      scheduler: "normal",
      steps: "20",
      cfg: "7",
      seed: "123",
    });
  });
});

describe("the queue", () => {
  it("shows what runs, then what waits, then what has ended, latest first", () => {
    const all = [job({ id: "a", state: "running" }), job({ id: "b", state: "queued" })];
    const old = [job({ id: "c", finished: 5 }), job({ id: "d", finished: 8 })];
    const jobs = new Map([...old, ...all].map((one) => [one.id, one]));
    const queue = { paused: false, running: ["a"], queued: ["b", "unknown"] };
    expect(unended(queue, jobs).map((one) => one.id)).toEqual(["a", "b"]);
    expect(endedJobs(jobs).map((one) => one.id)).toEqual(["d", "c"]);
    const late = { paused: false, running: ["d"], queued: [] };
    expect(unended(late, jobs)).toEqual([]);
  });

  it("calls a job by its prompt", () => {
    expect(titleOf(job({}))).toBe("a red heart");
    expect(titleOf(job({ prompt: { "1": { class_type: "Sum", inputs: {} } } }))).toBe("Sum");
  });

  it("tells how long things take in words for people", () => {
    expect([0.84, 42.2, 185].map((seconds) => duration(seconds, "s"))).toEqual([
      "0.8 s",
      "42 s",
      "3:05",
    ]);
  });
});

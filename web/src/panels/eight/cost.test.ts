import { describe, expect, it } from "vitest";
import type { JobAnswer } from "../../protocol/generated";
import { evaluations, secondsAStep } from "./cost";

const job = (finished: number, seconds: number, steps: number, executed: string[]): JobAnswer =>
  ({
    state: "done",
    finished,
    seconds,
    executed,
    prompt: { "5": { class_type: "KSampler", inputs: { steps } } },
  }) as unknown as JobAnswer;

describe("the cost of steps", () => {
  it("is that of the latest job that really sampled", () => {
    const jobs = [job(1, 9, 10, ["5"]), job(2, 4, 20, ["5"]), job(3, 0.1, 20, ["7"])];
    expect(secondsAStep(jobs, "5")).toBe(0.2);
    expect(secondsAStep(jobs, "6")).toBeNull();
  });

  it("doubles with CFG, which compares two prompts", () => {
    expect([evaluations(20, 7), evaluations(20, 1)]).toEqual([40, 20]);
  });
});

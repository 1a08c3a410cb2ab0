import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { later, loadParts } from "./later";

describe("a part that comes later", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is asked for again until the server is back", async () => {
    const load = vi.fn(async () => "part");
    load.mockRejectedValueOnce(new TypeError("away"));
    load.mockRejectedValueOnce(new TypeError("away"));
    const found = later(load)();
    await vi.runAllTimersAsync();
    expect(await found).toBe("part");
    expect(load).toHaveBeenCalledTimes(3);
  });

  it("is there with all others before anybody needs it", async () => {
    const first = vi.fn(async () => 1);
    const second = vi.fn(async () => 2);
    later(first);
    later(second);
    expect(first).not.toHaveBeenCalled();
    await loadParts();
    expect(first).toHaveBeenCalledOnce();
    expect(second).toHaveBeenCalledOnce();
  });
});

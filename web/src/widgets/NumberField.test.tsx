import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { startI18n } from "../i18n";
import type { Json } from "../model/json";
import type { Emptiness, WidgetInfo } from "../model/shape";
import { NumberField } from "./NumberField";

beforeAll(startI18n);
afterEach(cleanup);

const BOUNDS = { min: 1, max: 9, step: 1, round: null, slider: false, advanced: false };
const WIDGET = { kind: "int", ...BOUNDS } satisfies WidgetInfo;

function field(value: Json | undefined, empty: Emptiness) {
  const set = vi.fn();
  const place = { graph: "", node: "1", name: "count", label: "count" };
  render(<NumberField {...place} widget={WIDGET} value={value} empty={empty} set={set} />);
  return { set, input: screen.getByRole("spinbutton", { name: "count" }) };
}

test("a number that is not given is empty and not outside its range", () => {
  const { input } = field(null, "null");
  expect(input).toHaveProperty("value", "");
  expect(input).toHaveProperty("placeholder", "not set");
  expect(input.getAttribute("aria-invalid")).toBe("false");
  expect(input.getAttribute("aria-valuenow")).toBeNull();
});

test("an emptied number becomes null, one of several that grow none at all", async () => {
  for (const [empty, value] of [
    ["null", null],
    ["absent", undefined],
  ] as const) {
    const { set, input } = field(3, empty);
    await userEvent.clear(input);
    expect(input.getAttribute("aria-invalid")).toBe("false");
    await userEvent.keyboard("{Enter}");
    expect(set).toHaveBeenCalledExactlyOnceWith(value, { once: true });
    cleanup();
  }
});

test("a number that must be given keeps its value when it is emptied", async () => {
  const { set, input } = field(3, "never");
  await userEvent.clear(input);
  expect(input.getAttribute("aria-invalid")).toBe("true");
  await userEvent.keyboard("{Enter}");
  expect(set).not.toHaveBeenCalled();
  expect(input).toHaveProperty("value", "3");
});

import { describe, expect, it } from "vitest";
import { texts } from "../i18n/en";
import { allCommands } from "./all";

function textAt(key: string): unknown {
  return key
    .split(".")
    .reduce<unknown>(
      (at, part) => (at as Readonly<Record<string, unknown>> | undefined)?.[part],
      texts,
    );
}

describe("commands", () => {
  it("have each a shortcut of its own, and an id of its own", () => {
    const shortcuts = allCommands.flatMap((command) => command.shortcut ?? []);
    expect(shortcuts.filter((one, at) => shortcuts.indexOf(one) !== at)).toEqual([]);
    expect(new Set(allCommands.map((command) => command.id)).size).toBe(allCommands.length);
  });

  it("have a text", () => {
    const missing = allCommands.filter((command) => typeof textAt(command.label) !== "string");
    expect(missing.map((command) => command.label)).toEqual([]);
  });
});

/** The plugins, as the server last told of them, and the fields that their scripts bring. */

import { create } from "zustand";
import * as routes from "../api/routes";
import type { Json } from "../model/json";
import type { PackInfo, PluginInfo } from "../protocol/generated";

/** What a script is told about the field that it draws. */
export interface PluginField {
  readonly value: Json | undefined;
  /** What the field is called, for reading aloud. */
  readonly label: string;
  /** Gives the input a value, as a step that can be undone. */
  readonly set: (value: Json) => void;
}

/** What a script may give back for the field that it has drawn. */
export interface DrawnField {
  readonly update?: (value: Json | undefined) => void;
  readonly remove?: () => void;
}

export type DrawField = (element: HTMLElement, field: PluginField) => DrawnField | undefined;

/** A script's field for an input of a node, `NODE.input`. */
export interface ScriptWidget {
  readonly script: string;
  readonly draw: DrawField;
}

interface Plugins {
  readonly plugins: readonly PluginInfo[];
  readonly packs: readonly PackInfo[];
  readonly known: boolean;
  readonly widgets: ReadonlyMap<string, ScriptWidget>;
  /** What went wrong in a script, by its address. */
  readonly scriptFaults: ReadonlyMap<string, string>;
}

export const usePlugins = create<Plugins>()(() => ({
  plugins: [],
  packs: [],
  known: false,
  widgets: new Map(),
  scriptFaults: new Map(),
}));

/** Ask the server which plugins there are. */
export async function refreshPlugins(): Promise<readonly PluginInfo[]> {
  const { plugins, packs } = await routes.getPlugins();
  usePlugins.setState({ plugins, packs, known: true });
  return plugins;
}

/** Keep what went wrong in a script, to be shown with its plugin. */
export function noteFault(script: string, error: unknown): void {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const { scriptFaults } = usePlugins.getState();
  if (scriptFaults.get(script) === text) return;
  usePlugins.setState({ scriptFaults: new Map(scriptFaults).set(script, text) });
}

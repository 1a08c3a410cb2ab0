/** Loads the scripts of enabled plugins. One that fails is told of, and the others go on. */

import type { PluginInfo } from "../../protocol/generated";
import { type DrawField, noteFault, usePlugins } from "../../state/plugins";

/** What a script's default function is given. */
export interface ScriptEditor {
  /** Draw the field of an input, named `NODE.input`, in place of the editor's own. */
  readonly addWidget: (input: string, draw: DrawField) => void;
}

const loaded = new Set<string>();

/** Load what is new, and forget what belongs to plugins that are gone, off or changed. */
export async function loadScripts(plugins: readonly PluginInfo[]): Promise<void> {
  const wanted = plugins.flatMap(scriptsOf);
  forgetAllBut(new Set(wanted));
  await Promise.all(wanted.filter((script) => !loaded.has(script)).map(load));
}

/** The addresses of a plugin's scripts; another one when its code has changed. */
export function scriptsOf(plugin: PluginInfo): readonly string[] {
  return plugin.scripts.map((script) => `${script}?v=${plugin.digest.slice(0, 16)}`);
}

async function load(script: string): Promise<void> {
  loaded.add(script);
  try {
    const module: { readonly default?: unknown } = await import(/* @vite-ignore */ script);
    if (typeof module.default === "function") await module.default(editorFor(script));
  } catch (error) {
    noteFault(script, error);
  }
}

function editorFor(script: string): ScriptEditor {
  return Object.freeze({
    addWidget: (input: string, draw: DrawField) => {
      if (typeof input !== "string" || typeof draw !== "function") {
        throw new TypeError("addWidget takes the name NODE.input and a function");
      }
      if (!loaded.has(script)) return;
      const { widgets } = usePlugins.getState();
      usePlugins.setState({ widgets: new Map(widgets).set(input, { script, draw }) });
    },
  });
}

function forgetAllBut(wanted: ReadonlySet<string>): void {
  for (const script of loaded) if (!wanted.has(script)) loaded.delete(script);
  const { widgets, scriptFaults } = usePlugins.getState();
  usePlugins.setState({
    widgets: new Map([...widgets].filter(([, widget]) => wanted.has(widget.script))),
    scriptFaults: new Map([...scriptFaults].filter(([script]) => wanted.has(script))),
  });
}

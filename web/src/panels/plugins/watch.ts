/** Follows the plugins: asks what there is, loads their scripts, tells what has changed. */

import i18next from "i18next";
import { language } from "../../i18n";
import type { PluginInfo } from "../../protocol/generated";
import { refreshPlugins, usePlugins } from "../../state/plugins";
import { useServer } from "../../state/server";
import { attempt, tell } from "../notices/notices";
import { usePanels } from "../open";
import { placeOf } from "./place";
import { loadScripts } from "./scripts";

/** Follow them as long as the page is there. */
export function watchPlugins(): void {
  useServer.subscribe((state, before) => {
    if (state.pluginsChanged !== before.pluginsChanged) void changed(state.pluginsChanged);
    if (state.connection === "open" && before.connection !== "open") void refresh();
  });
  if (useServer.getState().connection === "open") void refresh();
}

async function changed(names: readonly string[]): Promise<void> {
  const plugins = (await refresh()) ?? [];
  const { packs } = usePlugins.getState();
  for (const name of names) {
    const plugin = plugins.find((one) => one.name === name);
    const pack = packs.find((one) => one.name === name);
    if (plugin !== undefined) told(plugin);
    else if (pack !== undefined) told({ ...pack, title: name, state: "enabled" });
    else tell(i18next.t("plugins.gone", { name }));
  }
}

function told(plugin: Pick<PluginInfo, "title" | "state" | "failures" | "nodes">): void {
  const [failure] = plugin.failures;
  const name = plugin.title;
  const look = {
    text: i18next.t("plugins.look"),
    run: () => usePanels.getState().showLeft("plugins"),
  };
  if (failure !== undefined) {
    const text = i18next.t("plugins.failed", {
      name,
      place: placeOf(failure),
      cause: failure.message[language()],
    });
    tell(text, "bad", look);
  } else if (plugin.state === "enabled") {
    tell(i18next.t("plugins.loaded", { name, count: plugin.nodes.length }), "good");
  } else {
    const why = i18next.t(`plugins.is.${plugin.state}`, { name });
    tell(why, "plain", plugin.state === "disabled" ? undefined : look);
  }
}

async function refresh(): Promise<readonly PluginInfo[] | undefined> {
  const plugins = await attempt(refreshPlugins());
  if (plugins !== undefined) await loadScripts(plugins);
  return plugins;
}

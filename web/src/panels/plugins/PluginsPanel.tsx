import { useEffect, useState } from "react";
import * as routes from "../../api/routes";
import { useTranslation } from "../../i18n";
import type { FailureAnswer, PackInfo, PluginInfo } from "../../protocol/generated";
import { refreshPlugins, usePlugins } from "../../state/plugins";
import { useServer } from "../../state/server";
import { attempt } from "../notices/notices";
import { placeOf } from "./place";
import { scriptsOf } from "./scripts";

/** What there is of plugins, what each may do, and what went wrong in it. */
export default function PluginsPanel() {
  const { t } = useTranslation();
  const { plugins, packs, known } = usePlugins();
  useEffect(() => {
    void attempt(refreshPlugins());
  }, []);
  return (
    <>
      <header className="panel-head">
        <h2>{t("plugins.title")}</h2>
      </header>
      <p className="panel-note">{t("plugins.about")}</p>
      <div className="plugin-lists">
        {known && plugins.length + packs.length === 0 ? (
          <p className="panel-empty">{t("plugins.none")}</p>
        ) : null}
        <ul className="plugin-list" aria-label={t("plugins.title")}>
          {plugins.map((plugin) => (
            <PluginRow key={plugin.path} plugin={plugin} />
          ))}
        </ul>
        {packs.length === 0 ? null : <Packs packs={packs} />}
      </div>
    </>
  );
}

function PluginRow({ plugin }: { readonly plugin: PluginInfo }) {
  const { t } = useTranslation();
  const { state, title } = plugin;
  return (
    <li className={`plugin ${state}`} aria-label={title}>
      <div className="plugin-head">
        <h3>
          {title} {plugin.version === "" ? null : <span className="hint">{plugin.version}</span>}
        </h3>
        <span className={`plugin-state ${state}`}>{t(`plugins.state.${state}`)}</span>
      </div>
      {plugin.description === "" ? null : <p>{plugin.description}</p>}
      <code className="plugin-path">{plugin.path}</code>
      <p className="hint">{t("plugins.wishes", { wishes: wishesOf(plugin, t) })}</p>
      {plugin.isolated ? <p className="hint">{t("plugins.isolated")}</p> : null}
      {plugin.dependencies.length === 0 ? null : (
        <p className="hint">{t("plugins.needs", { needs: plugin.dependencies.join(", ") })}</p>
      )}
      <Nodes ids={plugin.nodes} />
      <Failures failures={plugin.failures} />
      <ScriptFaults plugin={plugin} />
      <Decision plugin={plugin} />
    </li>
  );
}

function wishesOf(plugin: PluginInfo, t: (key: string) => string): string {
  if (plugin.capabilities.length === 0) return t("plugins.wish.none");
  const known = ["files", "network", "subprocess"];
  const named = (one: string) => (known.includes(one) ? t(`plugins.wish.${one}`) : one);
  return plugin.capabilities.map(named).join(t("plugins.and"));
}

/** To enable is to trust this code, so that is said beside the button. */
function Decision({ plugin }: { readonly plugin: PluginInfo }) {
  const { t } = useTranslation();
  const [busy, setBusy] = useState(false);
  const on = plugin.state === "enabled";
  const decide = async () => {
    setBusy(true);
    const { name, digest } = plugin;
    await attempt(on ? routes.disablePlugin(name) : routes.enablePlugin(name, digest));
    await attempt(refreshPlugins());
    setBusy(false);
  };
  const label = t(on ? "plugins.disable" : "plugins.enable");
  return (
    <div className="plugin-decision">
      {on ? null : <p className="hint">{t(`plugins.means.${plugin.state}`)}</p>}
      <button
        type="button"
        className={on ? "button" : "button primary"}
        aria-label={`${label}: ${plugin.title}`}
        disabled={busy}
        onClick={decide}
      >
        {label}
      </button>
    </div>
  );
}

/** Nodes by their titles, where the server has them. */
function Nodes({ ids }: { readonly ids: readonly string[] }) {
  const { t, language } = useTranslation();
  const nodes = useServer((state) => state.nodes);
  if (ids.length === 0) return null;
  return (
    <details>
      <summary>{t("plugins.nodes", { count: ids.length })}</summary>
      <ul className="plugin-nodes">
        {ids.map((id) => (
          <li key={id}>{nodes.get(id)?.texts[language].title ?? id}</li>
        ))}
      </ul>
    </details>
  );
}

function Failures({ failures }: { readonly failures: readonly FailureAnswer[] }) {
  const { language } = useTranslation();
  return failures.map((failure) => (
    <Fault
      key={`${placeOf(failure)} ${failure.cause}`}
      place={placeOf(failure)}
      cause={failure.message[language]}
    />
  ));
}

function ScriptFaults({ plugin }: { readonly plugin: PluginInfo }) {
  const faults = usePlugins((state) => state.scriptFaults);
  return scriptsOf(plugin).map((script) => {
    const cause = faults.get(script);
    const place = script.replace(/\?.*$/, "");
    return cause === undefined ? null : <Fault key={script} place={place} cause={cause} />;
  });
}

function Fault({ place, cause }: { readonly place: string; readonly cause: string }) {
  return (
    <div className="plugin-fault">
      <code>{place}</code>
      <p>{cause}</p>
    </div>
  );
}

/** Plugins for ComfyUI: there is nothing to decide here, the folder they lie in is the decision. */
function Packs({ packs }: { readonly packs: readonly PackInfo[] }) {
  const { t } = useTranslation();
  return (
    <section aria-label={t("plugins.packs")}>
      <h3>{t("plugins.packs")}</h3>
      <p className="panel-note">{t("plugins.aboutPacks")}</p>
      <ul className="plugin-list">
        {packs.map((pack) => (
          <li key={pack.name} className="plugin" aria-label={pack.name}>
            <h3>{pack.name}</h3>
            <code className="plugin-path">{pack.path}</code>
            <Nodes ids={pack.nodes} />
            {pack.scripts.length === 0 ? null : <p className="hint">{t("plugins.packScripts")}</p>}
            <Failures failures={pack.failures} />
          </li>
        ))}
      </ul>
    </section>
  );
}

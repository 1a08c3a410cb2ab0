import { useTranslation } from "react-i18next";
import type { Json } from "../../model/json";
import type { InputInfo } from "../../protocol/generated";
import { useServer } from "../../state/server";
import { activeTab, graphIdAt, useDocument, useWorkspace } from "../../state/workspace";
import { Icon } from "../Icon";
import { fieldOf } from "./fields";
import type { Setting } from "./find";
import { NumberField } from "./NumberField";
import { type Pin, pinsOf, placeAt, togglePin } from "./pins";
import { Choice } from "./SettingsForm";
import { applyEdit, changeSetting, useInput, useSetting } from "./useEight";
import { nodeAt } from "./walk";

const MOST_OFFERED = 40;

/** The widgets that were pinned to the panel. */
export function Pins() {
  const { t } = useTranslation();
  const workflow = useDocument();
  const pins = pinsOf(workflow);
  if (pins.length === 0) return null;
  return (
    <section className="pins" aria-label={t("eight.pinned")}>
      <h3>{t("eight.pinned")}</h3>
      {pins.map((pin) => (
        <PinnedWidget key={`${pin.node}.${pin.input}`} pin={pin} />
      ))}
    </section>
  );
}

function PinnedWidget({ pin }: { readonly pin: Pin }) {
  const { t } = useTranslation();
  const workflow = useDocument();
  const place = placeAt(workflow, pin.node);
  const node = place === null ? undefined : nodeAt(workflow, place);
  const label = `${node?.title ?? node?.type ?? `#${pin.node}`} · ${pin.input}`;
  const setting: Setting | null =
    place === null
      ? null
      : { at: place, input: pin.input, field: fieldOf(workflow, place, pin.input) };
  return (
    <div className="pin">
      <header className="setting-head">
        <span>{label}</span>
        <UnpinButton pin={pin} />
      </header>
      {setting === null ? (
        <p className="hint">{t("eight.pinGone")}</p>
      ) : setting.field === null ? (
        <p className="hint">{t("eight.computed")}</p>
      ) : (
        <AnyWidget setting={setting} label={label} />
      )}
    </div>
  );
}

function UnpinButton({ pin }: { readonly pin: Pin }) {
  const { t } = useTranslation();
  return (
    <button
      type="button"
      className="button quiet icon small"
      aria-label={t("eight.unpin", { name: pin.input })}
      title={t("eight.unpin", { name: pin.input })}
      onClick={() => applyEdit((workflow) => togglePin(workflow, pin))}
    >
      <Icon name="close" />
    </button>
  );
}

/** A control for a widget of any kind. */
function AnyWidget({ setting, label }: { readonly setting: Setting; readonly label: string }) {
  const value = useSetting(setting);
  const widget = useInput(setting)?.widget;
  const change = (next: Json) => changeSetting(setting, next);
  switch (widget?.kind) {
    case "int":
    case "seed":
    case "float":
      return (
        <NumberField
          label={label}
          value={value}
          whole={widget.kind !== "float"}
          min={widget.min}
          max={widget.kind === "seed" ? null : widget.max}
          step={widget.step}
          onChange={change}
        />
      );
    case "switch":
      return (
        <input
          type="checkbox"
          aria-label={label}
          checked={value === true}
          onChange={(event) => change(event.target.checked)}
        />
      );
    case "choice":
    case "model":
    case "image":
      return (
        <Choice
          label={label}
          value={String(value ?? "")}
          options={widget.choices.map(String)}
          onChange={(chosen) =>
            change((widget.choices.find((one) => String(one) === chosen) ?? chosen) as Json)
          }
        />
      );
    default:
      return (
        <textarea
          className="field"
          aria-label={label}
          rows={2}
          value={String(value ?? "")}
          onChange={(event) => change(event.target.value)}
        />
      );
  }
}

/** The widgets of the selected node, each with a pin. */
export function PinChoices() {
  const { t } = useTranslation();
  const path = useWorkspace((state) => {
    const tab = activeTab(state);
    const [node] = tab?.selection ?? [];
    return tab === undefined || node === undefined ? null : [...tab.path, node].join(":");
  });
  const node = useWorkspace((state) => {
    const tab = activeTab(state);
    const [id] = tab?.selection ?? [];
    if (tab === undefined || id === undefined) return undefined;
    const graph = graphIdAt(tab);
    return nodeAt(tab.workflow, { graph, node: id, inside: null });
  });
  const info = useServer((state) => state.nodes.get(node?.type ?? ""));
  const widgets =
    info?.inputs.filter((input) => input.widget !== null).slice(0, MOST_OFFERED) ?? [];
  if (path === null || node === undefined || widgets.length === 0) {
    return <p className="hint pin-hint">{t("eight.pinHint")}</p>;
  }
  return (
    <details className="pin-choices">
      <summary>{t("eight.pinFrom", { name: node.title ?? node.type })}</summary>
      <ul>
        {widgets.map((input) => (
          <PinChoice key={input.name} pin={{ node: path, input: input.name }} input={input} />
        ))}
      </ul>
    </details>
  );
}

function PinChoice({ pin, input }: { readonly pin: Pin; readonly input: InputInfo }) {
  const pinned = useWorkspace((state) => {
    const workflow = activeTab(state)?.workflow;
    const pins = workflow === undefined ? [] : pinsOf(workflow);
    return pins.some((one) => one.node === pin.node && one.input === pin.input);
  });
  return (
    <li>
      <button
        type="button"
        className="menu-item"
        aria-pressed={pinned}
        onClick={() => applyEdit((workflow) => togglePin(workflow, pin))}
      >
        <Icon name={pinned ? "check" : "pin"} />
        {input.name}
      </button>
    </li>
  );
}

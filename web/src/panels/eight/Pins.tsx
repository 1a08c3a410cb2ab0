import { useTranslation } from "../../i18n";
import { graphOf } from "../../model/document";
import type { Json } from "../../model/json";
import type { InputShape, NodeTypes } from "../../model/shape";
import { shapeAt, shapeOf, useTypes } from "../../nodes/shapes";
import { inputLabel, nodeTitle, useLanguage } from "../../nodes/texts";
import {
  activeGraph,
  activeTab,
  pathOf,
  useDocument,
  useWorkspace,
  type Workspace,
} from "../../state/workspace";
import { Icon } from "../Icon";
import { fieldOf, readField } from "./fields";
import { NumberField } from "./NumberField";
import { isPinned, type Pin, pinsOf, placeAt, togglePin } from "./pins";
import { Choice } from "./SettingsForm";
import { applyEdit, changeSetting } from "./useEight";
import { nodeAt, type Place } from "./walk";

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
  const types = useTypes();
  const language = useLanguage();
  const place = placeAt(workflow, pin.node);
  const node = place === null ? undefined : nodeAt(workflow, place);
  const graph = place === null ? undefined : graphOf(workflow, place.graph);
  const shape = node && graph && shapeOf(node, graph, workflow, types);
  const input = shape?.widgets.find((one) => one.name === pin.input);
  const title = node === undefined ? `#${pin.node}` : nodeTitle(node, shape, workflow, language);
  const label = `${title} · ${inputLabel(input ?? { name: pin.input, label: null })}`;
  return (
    <div className="pin">
      <header className="setting-head">
        <span>{label}</span>
        <UnpinButton pin={pin} label={label} />
      </header>
      {types.size === 0 ? null : place === null || input === undefined ? (
        <p className="hint">{t("eight.pinGone")}</p>
      ) : (
        <AnyWidget at={place} input={input} label={label} />
      )}
    </div>
  );
}

function UnpinButton({ pin, label }: { readonly pin: Pin; readonly label: string }) {
  const { t } = useTranslation();
  return (
    <button
      type="button"
      className="button quiet icon small"
      aria-label={t("eight.unpin", { name: label })}
      title={t("eight.unpin", { name: label })}
      onClick={() => applyEdit((workflow) => togglePin(workflow, pin))}
    >
      <Icon name="close" />
    </button>
  );
}

interface AnyWidgetProps {
  readonly at: Place;
  readonly input: InputShape;
  readonly label: string;
}

/** A control for a widget of any kind. */
function AnyWidget({ at, input, label }: AnyWidgetProps) {
  const { t } = useTranslation();
  const workflow = useDocument();
  const { name, widget } = input;
  const field = fieldOf(workflow, at, name);
  if (field === null) return <p className="hint">{t("eight.computed")}</p>;
  const own = readField(workflow, field);
  const value = own === undefined ? input.default : own;
  const change = (next: Json) => changeSetting({ at, input: name, field }, next);
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
          onEmpty={input.empty === "null" ? () => change(null) : undefined}
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
  const types = useTypes();
  const language = useLanguage();
  const path = useWorkspace((state) => {
    const [node] = activeTab(state)?.selection ?? [];
    return node === undefined ? null : pathOf(node, state);
  });
  const title = useWorkspace((state) => {
    const [node, shape] = selectedShape(state, types);
    return node && nodeTitle(node, shape, activeTab(state)?.workflow, language);
  });
  const widgets = useWorkspace((state) => selectedShape(state, types)[1]?.widgets) ?? [];
  if (path === null || widgets.length === 0) {
    return <p className="hint pin-hint">{t("eight.pinHint")}</p>;
  }
  return (
    <details className="pin-choices">
      <summary>{t("eight.pinFrom", { name: title })}</summary>
      <ul>
        {widgets.slice(0, MOST_OFFERED).map((input) => (
          <PinChoice key={input.name} pin={{ node: path, input: input.name }} input={input} />
        ))}
      </ul>
    </details>
  );
}

function selectedShape(state: Workspace, types: NodeTypes) {
  const [id = ""] = activeTab(state)?.selection ?? [];
  return [activeGraph(state).nodes.get(id), shapeAt(state, id, types)] as const;
}

function PinChoice({ pin, input }: { readonly pin: Pin; readonly input: InputShape }) {
  const pinned = useWorkspace((state) => {
    const workflow = activeTab(state)?.workflow;
    return workflow !== undefined && isPinned(workflow, pin);
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
        {inputLabel(input)}
      </button>
    </li>
  );
}

/** One widget of a node: the field for its kind, contained so that a broken one harms nothing. */

import { Component, memo, type ReactNode } from "react";
import { useTranslation } from "../i18n";
import { type GraphId, graphOf, type NodeId } from "../model/document";
import type { Json } from "../model/json";
import type { Emptiness, WidgetInfo } from "../model/shape";
import { usePlugins } from "../state/plugins";
import { useServer } from "../state/server";
import { activeTab, useWorkspace } from "../state/workspace";
import { ChoiceField } from "./ChoiceField";
import { ColorField, ColorNumberField, isColor, isColorNumber } from "./ColorField";
import { ImageField } from "./ImageField";
import { JsonField } from "./JsonField";
import { NumberField } from "./NumberField";
import { ScriptField } from "./ScriptField";
import { SeedField } from "./SeedField";
import { SwitchField } from "./SwitchField";
import { TextField } from "./TextField";

export interface FieldProps<W extends WidgetInfo = WidgetInfo> {
  readonly graph: GraphId;
  readonly node: NodeId;
  readonly name: string;
  /** What the field is called, for reading aloud. */
  readonly label: string;
  readonly widget: W;
  readonly value: Json | undefined;
  readonly empty: Emptiness;
  readonly set: (value: Json | undefined, options?: { readonly once?: boolean }) => void;
}

interface Props {
  readonly graph: GraphId;
  readonly node: NodeId;
  readonly name: string;
  readonly label: string;
  readonly widget: WidgetInfo;
  readonly value: Json | undefined;
  readonly empty: Emptiness;
}

export const Widget = memo(function Widget(props: Props) {
  const { graph, node, name } = props;
  const apply = useWorkspace((state) => state.apply);
  const set: FieldProps["set"] = (value, options) =>
    apply(
      { kind: "set-value", graph, node, name, value },
      options?.once ? {} : { group: `value ${graph} ${node} ${name}` },
    );
  // Until the node types are here the widget is a guess, and what is typed would be lost with it.
  if (useServer.getState().nodes.size === 0) {
    return <span className="widget-linked">{String(props.value ?? "")}</span>;
  }
  return (
    <Contained resetKey={props.value}>
      <ChosenField {...props} set={set} />
    </Contained>
  );
});

/** The field of a plugin's script where there is one for this input, else the editor's own. */
function ChosenField(props: FieldProps) {
  const { graph, node, name } = props;
  const type = useWorkspace((state) => {
    const tab = activeTab(state);
    return tab === undefined ? "" : graphOf(tab.workflow, graph).nodes.get(node)?.type;
  });
  const drawn = usePlugins((state) => state.widgets.get(`${type}.${name}`));
  const plain = <Field {...props} />;
  if (drawn === undefined) return plain;
  return <ScriptField key={drawn.script} {...props} drawn={drawn} plain={plain} />;
}

function Field(props: FieldProps) {
  const { widget } = props;
  switch (widget.kind) {
    case "int":
      if (isColorNumber(widget)) return <ColorNumberField {...props} widget={widget} />;
      return <NumberField {...props} widget={widget} />;
    case "float":
      return <NumberField {...props} widget={widget} />;
    case "seed":
      return <SeedField {...props} widget={widget} />;
    case "switch":
      return <SwitchField {...props} widget={widget} />;
    case "text":
      if (isColor(props.value) && !widget.multiline) return <ColorField {...props} />;
      return <TextField {...props} widget={widget} />;
    case "prompt":
      return <TextField {...props} widget={widget} />;
    case "choice":
    case "model":
      return <ChoiceField {...props} widget={widget} />;
    case "image":
      return <ImageField {...props} widget={widget} />;
    default:
      return widget.kind === "other" && widget.type === "COLOR" ? (
        <ColorField {...props} />
      ) : (
        <JsonField {...props} />
      );
  }
}

interface ContainedProps {
  readonly resetKey: unknown;
  readonly children: ReactNode;
}

/** Shows what went wrong in the place of a widget that throws; tries again with a new value. */
class Contained extends Component<ContainedProps, { readonly error: Error | null }> {
  override state: { readonly error: Error | null } = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override componentDidUpdate(before: ContainedProps) {
    if (this.state.error !== null && before.resetKey !== this.props.resetKey) {
      this.setState({ error: null });
    }
  }

  override render() {
    const { error } = this.state;
    return error === null ? this.props.children : <Broken message={error.message} />;
  }
}

function Broken({ message }: { readonly message: string }) {
  const { t } = useTranslation();
  return (
    <span className="widget-broken" title={message}>
      {t("canvas.widgetBroken", { message })}
    </span>
  );
}

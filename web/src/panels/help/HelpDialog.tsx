import type { TFunction } from "i18next";
import { useTranslation } from "../../i18n";
import { socketLook } from "../../model/sockets";
import type { InputInfo, NodeInfo } from "../../protocol/generated";
import { useNodeInfo } from "../../state/server";
import { PanelDialog } from "../PanelDialog";

/** What a node does, and each of its inputs and outputs. */
export default function HelpDialog({ type }: { readonly type: string }) {
  const { t, language } = useTranslation();
  const info = useNodeInfo(type);
  if (info === undefined) {
    return (
      <PanelDialog title={type}>
        <p>{t("help.unknown")}</p>
      </PanelDialog>
    );
  }
  const texts = info.texts[language];
  return (
    <PanelDialog title={texts.title} className="wide">
      <p>{texts.description}</p>
      <p className="hint">
        {texts.category.replaceAll("/", " › ")} · {info.id}
        {info.built_in ? "" : ` · ${info.package}`}
        {info.deprecated ? ` · ${t("help.deprecated")}` : ""}
        {info.experimental ? ` · ${t("help.experimental")}` : ""}
        {info.is_output ? ` · ${t("help.output")}` : ""}
      </p>
      <Inputs info={info} help={texts.inputs} />
      {info.outputs.length === 0 ? null : (
        <section>
          <h3>{t("help.outputs")}</h3>
          <dl className="help-list">
            {info.outputs.map((output) => (
              <div key={output.name}>
                <dt>
                  <SocketMark type={output.type} /> {output.name}
                  <span className="hint"> {output.type}</span>
                </dt>
                <dd>{texts.outputs[output.name]}</dd>
              </div>
            ))}
          </dl>
        </section>
      )}
    </PanelDialog>
  );
}

function Inputs({ info, help }: { info: NodeInfo; help: Readonly<Record<string, string>> }) {
  const { t } = useTranslation();
  if (info.inputs.length === 0) return null;
  return (
    <section>
      <h3>{t("help.inputs")}</h3>
      <dl className="help-list">
        {info.inputs.map((input) => (
          <div key={input.name}>
            <dt>
              <SocketMark type={input.type} /> {input.name}
              <span className="hint"> {input.type}</span>
            </dt>
            <dd>
              {help[input.name]}
              <span className="hint"> {facts(input, t)}</span>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function SocketMark({ type }: { readonly type: string }) {
  return (
    <span
      className="socket-mark"
      style={{ background: socketLook(type).color }}
      aria-hidden="true"
    />
  );
}

function facts(input: InputInfo, t: TFunction): string {
  const all = [
    input.widget === null ? "" : range(input.widget),
    input.default === null || typeof input.default === "object"
      ? ""
      : t("help.default", { value: String(input.default) }),
    input.optional ? t("help.optional") : "",
    input.many ? t("help.many") : "",
    input.lazy ? t("help.lazy") : "",
  ];
  return all.filter((fact) => fact !== "").join(" · ");
}

function range(widget: NonNullable<InputInfo["widget"]>): string {
  if (widget.kind !== "int" && widget.kind !== "float" && widget.kind !== "seed") return "";
  if (widget.min === null && widget.max === null) return "";
  return `${widget.min ?? "−∞"} … ${widget.max ?? "∞"}`;
}

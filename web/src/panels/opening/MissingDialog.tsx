import { useState } from "react";
import { useTranslation } from "../../i18n";
import type { Change } from "../../model/changes";
import { type GraphId, graphOf, TOP, type Workflow } from "../../model/document";
import type { MissingModelAnswer, MissingNode, OpenedAnswer } from "../../protocol/generated";
import { useServer } from "../../state/server";
import { useWorkspace } from "../../state/workspace";
import { usePanels } from "../open";
import { PanelDialog } from "../PanelDialog";
import { Rows } from "../Rows";

const MISSING_PX = 62;

interface Props {
  readonly tab: string;
  readonly opened: OpenedAnswer;
}

/** All that a workflow needs and that is not here, with what could take its place; and what changed. */
export default function MissingDialog({ tab, opened }: Props) {
  const { t, language } = useTranslation();
  const close = usePanels((state) => state.close);
  const [nodes, setNodes] = useState<Readonly<Record<string, string>>>({});
  const [models, setModels] = useState<Readonly<Record<string, string>>>({});
  const chosen = Object.values({ ...nodes, ...models }).filter((choice) => choice !== "").length;
  const replace = () => {
    const workspace = useWorkspace.getState();
    workspace.activate(tab);
    const workflow = workspace.tabs.find((one) => one.id === tab)?.workflow;
    if (workflow !== undefined) workspace.apply(changesFor(workflow, opened, nodes, models));
    close();
  };
  return (
    <PanelDialog title={t("opening.title", { name: opened.name })} className="wide">
      {opened.missing_nodes.length === 0 ? null : (
        <section>
          <h3>{t("opening.missingNodes", { number: opened.missing_nodes.length })}</h3>
          <p className="hint">{t("opening.missingNodesHint")}</p>
          <Rows
            items={opened.missing_nodes}
            rowPx={MISSING_PX}
            grows
            label={t("opening.nodes")}
            keyOf={(one) => one.type}
          >
            {(missing) => (
              <NodeRow
                missing={missing}
                choice={nodes[missing.type] ?? ""}
                choose={(choice) => setNodes({ ...nodes, [missing.type]: choice })}
              />
            )}
          </Rows>
        </section>
      )}
      {opened.missing_models.length === 0 ? null : (
        <section>
          <h3>{t("opening.missingModels", { number: opened.missing_models.length })}</h3>
          <p className="hint">{t("opening.missingModelsHint")}</p>
          <Rows
            items={opened.missing_models}
            rowPx={MISSING_PX}
            grows
            label={t("opening.models")}
            keyOf={modelKey}
          >
            {(missing) => (
              <ModelRow
                missing={missing}
                choice={models[modelKey(missing)] ?? ""}
                choose={(choice) => setModels({ ...models, [modelKey(missing)]: choice })}
              />
            )}
          </Rows>
        </section>
      )}
      {opened.notes.length === 0 ? null : (
        <details open={opened.missing_nodes.length + opened.missing_models.length === 0}>
          <summary>{t("opening.notes", { number: opened.notes.length })}</summary>
          <Rows
            items={opened.notes}
            rowPx={MISSING_PX}
            grows
            label={t("opening.notesLabel")}
            keyOf={(note) => String(opened.notes.indexOf(note))}
          >
            {(note) => (
              <p className="note-row">
                {note.message[language]} <span className="hint">{note.hint[language]}</span>
              </p>
            )}
          </Rows>
        </details>
      )}
      <div className="dialog-actions">
        <button type="button" className="button" onClick={close}>
          {t("opening.keep")}
        </button>
        <button type="button" className="button primary" disabled={chosen === 0} onClick={replace}>
          {chosen === 0 ? t("opening.replaceNothing") : t("opening.replace", { number: chosen })}
        </button>
      </div>
    </PanelDialog>
  );
}

interface RowProps<T> {
  readonly missing: T;
  readonly choice: string;
  readonly choose: (choice: string) => void;
}

function NodeRow({ missing, choice, choose }: RowProps<MissingNode>) {
  const { t, language } = useTranslation();
  const known = useServer((state) => state.nodes);
  return (
    <div className="missing-row">
      <span className="missing-name">
        <strong>{missing.type}</strong>
        <span className="hint">{t("opening.uses", { number: missing.node_ids.length })}</span>
      </span>
      <Substitute
        name={missing.type}
        choice={choice}
        choose={choose}
        options={missing.suggestions.map((id) => [id, known.get(id)?.texts[language].title ?? id])}
      />
    </div>
  );
}

function ModelRow({ missing, choice, choose }: RowProps<MissingModelAnswer>) {
  const { t } = useTranslation();
  return (
    <div className="missing-row">
      <span className="missing-name">
        <strong>{missing.name}</strong>
        <span className="hint">
          {t("opening.goesTo", { folder: missing.folder })}
          {isWebAddress(missing.url) ? (
            <>
              {" · "}
              <a href={missing.url} target="_blank" rel="noreferrer noopener">
                {t("opening.source")}
              </a>
            </>
          ) : null}
        </span>
      </span>
      <Substitute
        name={missing.name}
        choice={choice}
        choose={choose}
        options={missing.substitutes.map((name) => [name, name])}
      />
    </div>
  );
}

interface SubstituteProps {
  readonly name: string;
  readonly choice: string;
  readonly choose: (choice: string) => void;
  readonly options: readonly (readonly [string, string])[];
}

function Substitute({ name, choice, choose, options }: SubstituteProps) {
  const { t } = useTranslation();
  return (
    <select
      className="field"
      aria-label={t("opening.insteadOf", { name })}
      value={choice}
      disabled={options.length === 0}
      onChange={(event) => choose(event.target.value)}
    >
      <option value="">{t(options.length === 0 ? "opening.noSubstitute" : "opening.leave")}</option>
      {options.map(([value, text]) => (
        <option key={value} value={value}>
          {text}
        </option>
      ))}
    </select>
  );
}

type Choices = Readonly<Record<string, string>>;

/** What the choices do to the workflow, as one step. */
export function changesFor(
  workflow: Workflow,
  opened: OpenedAnswer,
  nodes: Choices,
  models: Choices,
): readonly Change[] {
  const types = opened.missing_nodes.flatMap((missing) => {
    const type = nodes[missing.type];
    if (!type) return [];
    return missing.node_ids.flatMap((path) => editNode(workflow, path, { type }));
  });
  const files = opened.missing_models.flatMap((missing): Change[] => {
    const value = models[modelKey(missing)];
    const at = locate(workflow, missing.node_id);
    if (!value || at === null) return [];
    return [{ kind: "set-value", ...at, name: missing.input, value }];
  });
  return [...types, ...files];
}

function editNode(workflow: Workflow, path: string, fields: { type: string }): readonly Change[] {
  const at = locate(workflow, path);
  return at === null ? [] : [{ kind: "edit-node", ...at, fields: { ...fields, version: 0 } }];
}

/** The server names a node in a subgraph by the subgraph's id, a colon and the node's. */
function locate(workflow: Workflow, path: string): { graph: GraphId; node: string } | null {
  const cut = path.lastIndexOf(":");
  const graph = cut === -1 ? TOP : path.slice(0, cut);
  const node = path.slice(cut + 1);
  return graphOf(workflow, graph).nodes.has(node) ? { graph, node } : null;
}

function modelKey(missing: MissingModelAnswer): string {
  return `${missing.node_id}/${missing.input}`;
}

function isWebAddress(url: string | null): url is string {
  return url !== null && /^https?:\/\//.test(url);
}

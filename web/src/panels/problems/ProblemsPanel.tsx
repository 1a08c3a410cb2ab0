import { textIn } from "../../api/http";
import { useTranslation } from "../../i18n";
import { writeJson } from "../../model/json";
import type { ProblemAnswer, ReasonAnswer } from "../../protocol/generated";
import { checkActive } from "../../state/run";
import { useRun, useServer } from "../../state/server";
import { useWorkspace } from "../../state/workspace";
import { Icon } from "../Icon";
import { attempt } from "../notices/notices";
import { Rows } from "../Rows";
import { goToInput } from "./goTo";

const NONE: readonly ProblemAnswer[] = [];
const NO_REASONS: Readonly<Record<string, ReasonAnswer>> = {};
const PROBLEM_PX = 92;
const REASON_PX = 44;
const MOST_SPREAD = 30;

/** What is wrong with the workflow and how to mend it; then why each node would run. */
export function ProblemsPanel() {
  const { t } = useTranslation();
  const tab = useWorkspace((state) => state.active);
  const problems = useServer((state) => state.problems.get(tab) ?? NONE);
  const failed = useRun()?.error != null;
  return (
    <>
      <header className="panel-head">
        <h2>{t("problems.title")}</h2>
        <button type="button" className="button" onClick={() => attempt(checkActive())}>
          <Icon name="check" />
          {t("problems.check")}
        </button>
      </header>
      <RunFailure />
      {problems.length === 0 ? (
        failed ? null : (
          <p className="panel-empty">{t("problems.none")}</p>
        )
      ) : problems.length > MOST_SPREAD ? (
        <Rows
          items={problems}
          rowPx={PROBLEM_PX}
          grows
          label={t("problems.title")}
          keyOf={(one) => `${one.node_id}/${one.input}/${one.code}/${problems.indexOf(one)}`}
        >
          {(problem) => <ProblemRow problem={problem} />}
        </Rows>
      ) : (
        <ul className="problem-list">
          {problems.map((problem, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: two problems may be equal in all but their place
            <li key={`${problem.node_id}/${problem.input}/${problem.code}/${at}`}>
              <ProblemRow problem={problem} />
            </li>
          ))}
        </ul>
      )}
      <Reasons tab={tab} />
    </>
  );
}

function ProblemRow({ problem }: { readonly problem: ProblemAnswer }) {
  const { language } = useTranslation();
  return (
    <button
      type="button"
      className={`problem ${problem.severity}`}
      onClick={() => goToInput(problem.node_id, problem.input)}
    >
      <span className="problem-text">{problem.message[language]}</span>
      {problem.hint[language] === "" ? null : (
        <span className="problem-hint">{problem.hint[language]}</span>
      )}
    </button>
  );
}

/** Why the last run of this tab failed. */
function RunFailure() {
  const { t, language } = useTranslation();
  const error = useRun()?.error;
  if (error === undefined || error === null) return null;
  const inputs = Object.entries(error.inputs);
  return (
    <div className="failure">
      <button type="button" className="problem error" onClick={() => goToInput(error.node, null)}>
        <span className="problem-hint">{t("problems.lastRun")}</span>
        <span className="problem-text">{textIn(error.texts, language)}</span>
      </button>
      {inputs.length === 0 && error.traceback.length === 0 ? null : (
        <details>
          <summary>{t("problems.details")}</summary>
          <dl>
            {inputs.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{String(value)}</dd>
              </div>
            ))}
          </dl>
          <pre>{error.traceback.join("")}</pre>
        </details>
      )}
    </div>
  );
}

function Reasons({ tab }: { readonly tab: string }) {
  const { t } = useTranslation();
  const reasons = useServer((state) => state.reasons.get(tab) ?? NO_REASONS);
  const rows = Object.entries(reasons);
  const running = rows.filter(([, reason]) => reason.runs).length;
  if (rows.length === 0) return null;
  return (
    <details className="reasons" open>
      <summary>
        {t("problems.why")}{" "}
        <span className="hint">
          {t("problems.whySummary", { running, still: rows.length - running })}
        </span>
      </summary>
      <Rows items={rows} rowPx={REASON_PX} label={t("problems.why")} keyOf={([id]) => id}>
        {([id, reason]) => (
          <button type="button" className="reason" onClick={() => goToInput(id, reason.input)}>
            <span className={reason.runs ? "dot runs" : "dot"} aria-hidden="true" />
            <NodeName path={id} />
            <span className="hint">{t(`problems.reason.${reason.kind}`, shownIn(reason))}</span>
          </button>
        )}
      </Rows>
    </details>
  );
}

function NodeName({ path }: { readonly path: string }) {
  const { language } = useTranslation();
  const id = path.split(":").at(-1) ?? path;
  const node = useWorkspace((state) => {
    const workflow = state.tabs.find((one) => one.id === state.active)?.workflow;
    if (workflow === undefined) return undefined;
    if (!path.includes(":")) return workflow.top.nodes.get(id);
    return [...workflow.subgraphs.values()].map((part) => part.graph.nodes.get(id)).find(Boolean);
  });
  const info = useServer((state) => state.nodes.get(node?.type ?? ""));
  const name = node?.title ?? info?.texts[language].title ?? node?.type ?? path;
  return <span className="reason-node">{name}</span>;
}

function shownIn(reason: ReasonAnswer): Record<string, string> {
  const text = (value: unknown) => {
    const whole = typeof value === "string" ? value : writeJson(value ?? null);
    return whole.length > 40 ? `${whole.slice(0, 40)}…` : whole;
  };
  return { input: reason.input ?? "", before: text(reason.before), after: text(reason.after) };
}

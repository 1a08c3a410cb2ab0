/** How a node is doing, what is wrong with it, and why it would run. */

import { textIn } from "../api/http";
import { useTranslation } from "../i18n";
import { writeJson } from "../model/json";
import type { ProblemAnswer } from "../protocol/generated";
import { useExplained, useNodeRun } from "../state/server";
import { useLanguage } from "./texts";

interface StatusProps {
  readonly path: string;
  readonly problems: readonly ProblemAnswer[];
}

export function Status({ path, problems }: StatusProps) {
  const { t } = useTranslation();
  const language = useLanguage();
  const run = useNodeRun(path);
  if (run?.status === "error") {
    const text = textIn(run.error, language) ?? t("canvas.status.error");
    return (
      <span className="status error" role="img" aria-label={text} title={text}>
        !
      </span>
    );
  }
  const [problem] = problems;
  if (problem !== undefined) {
    const text = problems.map((one) => `${one.message[language]} ${one.hint[language]}`).join("\n");
    return (
      <span className={`status ${problem.severity}`} role="img" aria-label={text} title={text}>
        !
      </span>
    );
  }
  if (run === undefined) return null;
  const label = t(`canvas.status.${run.status}`);
  return (
    <span className={`status ${run.status}`} role="img" aria-label={label} title={label}>
      {SIGNS[run.status]}
    </span>
  );
}

const SIGNS = { waiting: "◦", running: "●", done: "✓", cached: "≋", error: "!" } as const;

/** Whether the node would run now, and which change makes it. */
export function Why({ path }: { readonly path: string }) {
  const { t } = useTranslation();
  const reason = useExplained(path);
  if (reason === undefined || reason.kind === "not_needed") return null;
  const details = {
    input: reason.input ?? "",
    source: reason.source ?? "",
    before: shortened(reason.before),
    after: shortened(reason.after),
  };
  const text = t(`canvas.why.${reason.kind}`, details);
  return (
    <span
      className="why"
      data-runs={reason.runs || undefined}
      role="img"
      aria-label={text}
      title={text}
    >
      {reason.runs ? "↻" : "="}
    </span>
  );
}

function shortened(value: unknown): string {
  const text = typeof value === "string" ? value : writeJson(value ?? null);
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}

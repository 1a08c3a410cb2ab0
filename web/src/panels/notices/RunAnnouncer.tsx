import type { TFunction } from "i18next";
import { useTranslation } from "../../i18n";
import { progressOf, type Run } from "../../state/runs";
import { useRun } from "../../state/server";

const QUARTERS = 4;

/** Tells a screen reader how the run goes: begun, each quarter, over. */
export function RunAnnouncer() {
  const { t } = useTranslation();
  const run = useRun();
  return (
    <p className="visually-hidden" role="status">
      {run === undefined ? "" : said(run, t)}
    </p>
  );
}

function said(run: Run, t: TFunction): string {
  if (run.status !== "running") return t(`panels.run.${run.status}`);
  const share = progressOf(run);
  if (share === null) return t("panels.run.running");
  return t("panels.percent", { percent: (Math.floor(share * QUARTERS) / QUARTERS) * 100 });
}

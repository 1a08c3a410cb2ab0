/** A run that fails is told wherever the person is looking, once. */

import i18next from "i18next";
import { textIn } from "../../api/http";
import type { Run } from "../../state/runs";
import { useServer } from "../../state/server";
import { type NoticeAction, tell } from "./notices";

/** Tell of each run of this window that fails from now on; the returned function ends it. */
export function tellFailures(action?: (run: Run) => NoticeAction): () => void {
  return useServer.subscribe(({ runs }, { runs: before }) => {
    if (runs === before) return;
    for (const run of runs.values()) {
      const known = before.get(run.job);
      if (hasFailed(run) && !(known && hasFailed(known))) {
        tell(
          i18next.t("panels.runFailed", { why: textIn(run.error?.texts, i18next.language) ?? "" }),
          "bad",
          action?.(run),
        );
      }
    }
  });
}

/** One that was begun or seen running here: what failed before a reload has been told. */
function hasFailed(run: Run): boolean {
  return run.status === "failed" && run.tab !== "" && (run.fresh || run.startedAt !== null);
}

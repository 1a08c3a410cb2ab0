/** Links drawn by hand or chosen from the list: checked, applied, or refused with the reason. */

import type { Connection } from "@xyflow/react";
import i18next from "i18next";
import { language } from "../i18n";
import type { Change } from "../model/changes";
import type { NodeId } from "../model/document";
import {
  connect,
  type Input,
  joined,
  type LooseEnd,
  type Output,
  type Refusal,
} from "../model/edits";
import { typeTitle } from "../nodes/texts";
import { useServer } from "../state/server";
import { activeGraphId, activeTab, useWorkspace } from "../state/workspace";
import { isRefusal, say } from "./view";

export interface Ends {
  readonly from: Output;
  readonly to: Input;
}

export function endsOf(
  connection: Pick<Connection, "source" | "sourceHandle" | "target" | "targetHandle">,
): Ends {
  return {
    from: { node: connection.source, place: Number(connection.sourceHandle ?? 0) },
    to: { node: connection.target, name: connection.targetHandle ?? "" },
  };
}

export function tryLink({ from, to }: Ends): Change | Refusal {
  const tab = activeTab();
  if (tab === undefined) return { refused: "missing" };
  return connect(tab.workflow, activeGraphId(), useServer.getState().nodes, from, to);
}

/** Make the link, or say why it cannot be; whether it was made. */
export function link(ends: Ends): boolean {
  const change = tryLink(ends);
  if (isRefusal(change)) {
    say(refusalText(change));
    return false;
  }
  useWorkspace.getState().apply(change);
  return true;
}

/** Link what fits best at a node on which a link was dropped, or say that nothing does. */
export function linkToBody(node: NodeId, end: LooseEnd): void {
  const tab = activeTab();
  if (tab === undefined) return;
  const change = joined(tab.workflow, activeGraphId(), useServer.getState().nodes, node, end);
  if (change === null) say(i18next.t("canvas.nothingFits"));
  else if (isRefusal(change)) say(refusalText(change));
  else useWorkspace.getState().apply(change);
}

export function refusalText(refusal: Refusal): string {
  if (refusal.refused !== "types") return i18next.t(`canvas.refused.${refusal.refused}`);
  const { offered, wanted } = refusal;
  const between = converter(offered, wanted);
  const text = i18next.t("canvas.refused.types", { offered, wanted });
  return between === null
    ? text
    : `${text} ${i18next.t("canvas.refused.between", { title: between })}`;
}

/** The title of the simplest node that makes one type of another. */
function converter(offered: string, wanted: string): string | null {
  const candidates = [...useServer.getState().nodes.values()].filter(
    (info) =>
      !info.deprecated &&
      info.inputs.some((input) => input.widget === null && input.type === offered) &&
      info.outputs.some((output) => output.type === wanted && output.type !== "*"),
  );
  candidates.sort(
    (a, b) => sockets(a.inputs) - sockets(b.inputs) || Number(b.built_in) - Number(a.built_in),
  );
  const [best] = candidates;
  return best === undefined ? null : typeTitle(best, language());
}

function sockets(inputs: readonly { readonly widget: unknown }[]): number {
  return inputs.filter((input) => input.widget === null).length;
}

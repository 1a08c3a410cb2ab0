/** What a bypassed node passes on, as the server decides. */

import type { GraphNode, Slot } from "./document";
import { ANY, accepts } from "./sockets";

/** The place of the input that stands in for an output; null if none fits. */
export function bypassedInput(node: GraphNode, output: number, wanted: string): number | null {
  const same = node.inputs[output];
  if (wanted === ANY) return node.inputs.length === 0 ? null : same === undefined ? 0 : output;
  const offered = node.outputs[output]?.type ?? wanted;
  if (same !== undefined && accepts(wanted, same.type) && accepts(offered, same.type)) {
    return output;
  }
  const first = (fits: (slot: Slot) => boolean) => {
    const place = node.inputs.findIndex(fits);
    return place === -1 ? null : place;
  };
  return first((slot) => slot.type === wanted) ?? first((slot) => accepts(wanted, slot.type));
}

/** The ways through a bypassed node: input place → output place. */
export function waysAround(
  node: GraphNode,
): readonly { readonly from: number; readonly to: number }[] {
  return node.outputs.flatMap((slot, to) => {
    const from = bypassedInput(node, to, slot.type);
    return from === null ? [] : [{ from, to }];
  });
}

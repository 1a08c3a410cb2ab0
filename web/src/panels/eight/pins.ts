/** Widgets that a person pinned to the settings panel: by the node's path and the input's name. */

import type { Change } from "../../model/changes";
import { graphOf, type NodeId, TOP, type Workflow } from "../../model/document";
import { isObject, type Json } from "../../model/json";
import { type Place, pathOf } from "./walk";

export interface Pin {
  readonly node: string;
  readonly input: string;
}

/** What is pinned, in the order in which it was. */
export function pinsOf(workflow: Workflow): readonly Pin[] {
  const listed = workflow.top.panel["pins"];
  if (!Array.isArray(listed)) return [];
  return (listed as readonly Json[]).flatMap((item) => {
    if (!isObject(item)) return [];
    const { node, input } = item;
    return typeof node === "string" && typeof input === "string" ? [{ node, input }] : [];
  });
}

export function isPinned(workflow: Workflow, pin: Pin): boolean {
  return pinsOf(workflow).some((one) => one.node === pin.node && one.input === pin.input);
}

/** Pin a widget, or take it off if it is pinned. */
export function togglePin(workflow: Workflow, pin: Pin): Change {
  const pins = pinsOf(workflow);
  const others = pins.filter((one) => one.node !== pin.node || one.input !== pin.input);
  const next = others.length < pins.length ? others : [...pins, pin];
  const { pins: _before, ...panel } = workflow.top.panel;
  const kept = next.map(({ node, input }) => ({ node, input }));
  return {
    kind: "set-panel",
    graph: TOP,
    panel: kept.length === 0 ? panel : { ...panel, pins: kept },
  };
}

/** The place that a path "5:12" names; null if it is gone. */
export function placeAt(workflow: Workflow, path: string): Place | null {
  let inside: Place | null = null;
  let graph = TOP;
  const steps: readonly NodeId[] = path.split(":");
  for (const [depth, node] of steps.entries()) {
    const found = graphOf(workflow, graph).nodes.get(node);
    if (found === undefined) return null;
    const place: Place = { graph, node, inside };
    if (depth === steps.length - 1) return place;
    if (!workflow.subgraphs.has(found.type)) return null;
    inside = place;
    graph = found.type;
  }
  return null;
}

export function pinOf(place: Place, input: string): Pin {
  return { node: pathOf(place), input };
}

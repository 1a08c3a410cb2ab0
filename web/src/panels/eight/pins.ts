/** Widgets that a person pinned to the settings panel: by the node's path and the input's name. */

import type { Change } from "../../model/changes";
import { type GraphId, graphOf, type NodeId, TOP, type Workflow } from "../../model/document";
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
  return setPins(workflow, others.length < pins.length ? others : [...pins, pin]);
}

function setPins(workflow: Workflow, pins: readonly Pin[]): Change {
  const { pins: _before, ...panel } = workflow.top.panel;
  const kept = pins.map(({ node, input }) => ({ node, input }));
  return {
    kind: "set-panel",
    graph: TOP,
    panel: kept.length === 0 ? panel : { ...panel, pins: kept },
  };
}

/** Pins that stay on their widgets when nodes of a graph get new paths, as "4" in "9:4". */
export function movedPins(
  workflow: Workflow,
  graph: GraphId,
  paths: ReadonlyMap<string, string>,
): readonly Change[] {
  const pins = pinsOf(workflow);
  const moved = pins.map((pin) => ({ ...pin, node: movedPath(workflow, pin.node, graph, paths) }));
  return moved.every((pin, at) => pin.node === pins[at]?.node) ? [] : [setPins(workflow, moved)];
}

function movedPath(
  workflow: Workflow,
  path: string,
  moved: GraphId,
  paths: ReadonlyMap<string, string>,
): string {
  const steps = path.split(":");
  let graph = TOP;
  for (const [at, node] of steps.entries()) {
    for (const length of graph === moved ? [1, 2] : []) {
      const to = paths.get(steps.slice(at, at + length).join(":"));
      if (to !== undefined) return steps.toSpliced(at, length, to).join(":");
    }
    graph = graphOf(workflow, graph).nodes.get(node)?.type ?? "";
  }
  return path;
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

/** What the panel keeps about nodes – pins, numbers from before LCM – once they lie elsewhere. */

import type { Change } from "../../model/changes";
import { type GraphId, graphOf, type NodeId, TOP, type Workflow } from "../../model/document";
import { isObject, type Json, type JsonObject, sameJson } from "../../model/json";

/** Where a node lies: in which graph, and on which path from the graph that is edited. */
export interface Spot {
  readonly graph: GraphId;
  readonly node: NodeId;
  readonly path: string;
}

export interface Move {
  readonly from: Spot;
  readonly to: Spot;
}

/** The change of the panel that moves of nodes in a graph ask for, if any. */
export function movedPanel(
  workflow: Workflow,
  graph: GraphId,
  moves: readonly Move[],
): readonly Change[] {
  const { pins, lcm, ...others } = workflow.top.panel;
  const path = (before: string) => movedPath(workflow, before, graph, moves);
  const pinned = Array.isArray(pins) ? pins.map((pin: Json) => repinned(pin, path)) : pins;
  const kept = isObject(lcm) ? relocatedAll(lcm, moves, path) : lcm;
  const panel = {
    ...others,
    ...(pinned === undefined ? {} : { pins: pinned }),
    ...(kept === undefined ? {} : { lcm: kept }),
  };
  const same = sameJson(panel, workflow.top.panel);
  return same ? [] : [{ kind: "set-panel", graph: TOP, panel }];
}

function movedPath(
  workflow: Workflow,
  path: string,
  moved: GraphId,
  moves: readonly Move[],
): string {
  const steps = path.split(":");
  let graph = TOP;
  for (const [at, node] of steps.entries()) {
    for (const length of graph === moved ? [1, 2] : []) {
      const here = steps.slice(at, at + length).join(":");
      const move = moves.find((one) => one.from.path === here);
      if (move !== undefined) return steps.toSpliced(at, length, move.to.path).join(":");
    }
    graph = graphOf(workflow, graph).nodes.get(node)?.type ?? "";
  }
  return path;
}

function repinned(pin: Json, path: (before: string) => string): Json {
  if (!isObject(pin) || typeof pin["node"] !== "string") return pin;
  return { ...pin, node: path(pin["node"]) };
}

function relocatedAll(
  kept: JsonObject,
  moves: readonly Move[],
  path: (before: string) => string,
): JsonObject {
  const entries = Object.entries(kept);
  return Object.fromEntries(entries.map(([key, value]) => [path(key), relocated(value, moves)]));
}

/** With the graph and node of each place in it as they are now. */
function relocated(value: Json, moves: readonly Move[]): Json {
  if (Array.isArray(value)) return value.map((item: Json) => relocated(item, moves));
  if (!isObject(value)) return value;
  const { graph, node } = value;
  const move = moves.find(({ from }) => from.graph === graph && from.node === node);
  if (move !== undefined) return { ...value, graph: move.to.graph, node: move.to.node };
  const entries = Object.entries(value);
  return Object.fromEntries(entries.map(([key, item]) => [key, relocated(item, moves)]));
}

/** What happens to seeds after a run; as graphengine/seed_control.py decides. */

import type { Change } from "./changes";
import { type Graph, type GraphId, TOP, type Workflow } from "./document";
import type { Json } from "./json";

export const CONTROLS = ["fixed", "increment", "decrement", "randomize"] as const;
export const DRAW_SEED = -1;
export const SEED_MAX = 2n ** 64n - 1n;
export const LARGEST_DRAWN = 2 ** 50;

/** The seed of the next run; what is no seed stays as it is. `draw`: a number from 0 up to 1. */
export function nextSeed(
  seed: Json | undefined,
  control: string,
  draw: () => number,
): Json | undefined {
  if (seed === DRAW_SEED || (typeof seed !== "number" && typeof seed !== "bigint")) return seed;
  if (typeof seed === "number" && !Number.isInteger(seed)) return seed;
  const whole = BigInt(seed);
  if (control === "increment") return plain(whole >= SEED_MAX ? SEED_MAX : whole + 1n);
  if (control === "increment-wrap") return plain(whole >= SEED_MAX ? 0n : whole + 1n);
  if (control === "decrement") return plain(whole <= 0n ? 0n : whole - 1n);
  if (control === "randomize") return Math.floor(draw() * LARGEST_DRAWN);
  return seed;
}

/** A whole number as number, if it is exact there. */
export function plain(whole: bigint): number | bigint {
  const small = Number(whole);
  return Number.isSafeInteger(small) ? small : whole;
}

/** The change that gives every seed of a workflow its value for the next run. */
export function afterRun(workflow: Workflow, draw: () => number): readonly Change[] {
  const inside = [...workflow.subgraphs.values()].flatMap((part) =>
    controlled(part.graph, part.id, draw),
  );
  return [...controlled(workflow.top, TOP, draw), ...inside];
}

function controlled(graph: Graph, id: GraphId, draw: () => number): readonly Change[] {
  return [...graph.nodes.values()].flatMap((node) =>
    Object.entries(node.afterRun).flatMap(([name, control]): Change[] => {
      const value = nextSeed(node.values[name], control, draw);
      if (value === node.values[name]) return [];
      return [{ kind: "set-value", graph: id, node: node.id, name, value }];
    }),
  );
}

/** Nodes that come into view while it moves are built by parts, in the time that its frames leave. */

import { useEffect, useState } from "react";
import { flushSync } from "react-dom";
import { useView } from "../canvas/view";

const BUDGET_MS = 4;

const waiting = new Set<() => void>();
let frame = 0;

/** Whether a part of a node may be built yet. */
export function useBuilt(): boolean {
  const [built, setBuilt] = useState(() => !useView.getState().moving);
  useEffect(() => {
    if (built) return;
    const build = () => setBuilt(true);
    waiting.add(build);
    if (frame === 0) frame = requestAnimationFrame(buildSome);
    return () => {
      waiting.delete(build);
    };
  }, [built]);
  return built;
}

/** One part at least in each frame, and more where there is time. */
function buildSome(): void {
  const began = performance.now();
  for (const build of waiting) {
    waiting.delete(build);
    flushSync(build);
    if (performance.now() - began > BUDGET_MS) break;
  }
  frame = waiting.size === 0 ? 0 : requestAnimationFrame(buildSome);
}

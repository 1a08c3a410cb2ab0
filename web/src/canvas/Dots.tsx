/** The canvas's dots: drawn once for each zoom, and moved with the view without being drawn anew. */

import { useStore } from "@xyflow/react";
import type { CSSProperties } from "react";
import { GRID } from "./view";

const GAP = GRID * 2;
const RADIUS = 0.6;

export function Dots() {
  const [x, y, zoom] = useStore((state) => state.transform);
  const moving = useStore((state) => state.paneDragging);
  const gap = GAP * zoom;
  const style = {
    inset: -gap,
    backgroundSize: `${gap}px ${gap}px`,
    // The tile's middle, where its dot is, lies where the lines of the grid cross.
    backgroundPosition: `${-gap / 2}px ${-gap / 2}px`,
    translate: `${Math.round(x % gap)}px ${Math.round(y % gap)}px`,
    "--dot": `${RADIUS * zoom}px`,
  };
  return (
    <div
      className="dots"
      aria-hidden="true"
      data-moving={moving || undefined}
      style={style as CSSProperties}
    />
  );
}

/** The whole graph small, with the part in view; pointing at it goes there. */

import { useReactFlow, useStore, useStoreApi } from "@xyflow/react";
import { memo, type PointerEvent, useEffect, useRef } from "react";
import { useTranslation } from "../i18n";
import type { FlowNode } from "./flow";
import { readPalette } from "./painting";
import { boundsOf } from "./scene";

const WIDTH = 180;
const HEIGHT = 120;
const MARGIN = 8;

interface Props {
  readonly nodes: readonly FlowNode[];
}

export const Minimap = memo(function Minimap({ nodes }: Props) {
  const { t } = useTranslation();
  const canvas = useRef<HTMLCanvasElement>(null);
  const store = useStoreApi();
  const flow = useReactFlow();
  const theme = useStore(() => document.documentElement.dataset["theme"]);
  const area = boundsOf(nodes) ?? { x: 0, y: 0, width: 1, height: 1 };
  const scale = Math.min(
    (WIDTH - MARGIN * 2) / area.width,
    (HEIGHT - MARGIN * 2) / area.height,
    0.2,
  );
  const left = (WIDTH - area.width * scale) / 2 - area.x * scale;
  const top = (HEIGHT - area.height * scale) / 2 - area.y * scale;

  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme changes the colours read.
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const palette = readPalette();
    context.clearRect(0, 0, WIDTH, HEIGHT);
    let filled = "";
    for (const node of nodes) {
      const type = node.data.yields;
      const look = type === undefined ? palette.outline : palette.wire(type);
      const fill = node.selected ? palette.accent : look;
      context.globalAlpha = node.type === "group-frame" ? 0.25 : 0.8;
      // The browser works out all styles whenever a colour is set.
      if (fill !== filled) context.fillStyle = fill;
      filled = fill;
      context.fillRect(
        node.position.x * scale + left,
        node.position.y * scale + top,
        Math.max(2, (node.width ?? 0) * scale),
        Math.max(2, (node.height ?? 0) * scale),
      );
    }
  }, [nodes, scale, left, top, theme]);

  const go = (event: PointerEvent<HTMLElement>) => {
    if (event.buttons === 0) return;
    const box = event.currentTarget.getBoundingClientRect();
    const x = (event.clientX - box.left - left) / scale;
    const y = (event.clientY - box.top - top) / scale;
    void flow.setCenter(x, y, { zoom: store.getState().transform[2], duration: 0 });
  };
  return (
    <div className="minimap" title={t("canvas.minimap")} onPointerDown={go} onPointerMove={go}>
      <canvas ref={canvas} width={WIDTH} height={HEIGHT} />
      <Seen scale={scale} left={left} top={top} />
    </div>
  );
});

function Seen({
  scale,
  left,
  top,
}: {
  readonly scale: number;
  readonly left: number;
  readonly top: number;
}) {
  const [x, y, zoom] = useStore((state) => state.transform);
  const width = useStore((state) => state.width);
  const height = useStore((state) => state.height);
  return (
    <div
      className="minimap-seen"
      style={{
        translate: `${(-x / zoom) * scale + left}px ${(-y / zoom) * scale + top}px`,
        width: (width / zoom) * scale,
        height: (height / zoom) * scale,
      }}
    />
  );
}

/** All nodes drawn on one canvas element; they can be selected and moved as the real ones. */

import { useStoreApi } from "@xyflow/react";
import { useEffect, useRef } from "react";
import { shapeOf, useTypes } from "../nodes/shapes";
import { nodeTitle, useLanguage } from "../nodes/texts";
import { useRun } from "../state/server";
import { activeTab, pathOf, useDocument, useGraph, useWorkspace } from "../state/workspace";
import { commitPlaces } from "./Canvas";
import type { FlowNode } from "./flow";
import { nodeAt, type Painted, paint, readPalette } from "./painting";
import type { Scene } from "./scene";
import { show, useView } from "./view";

interface Props {
  readonly scene: Scene;
  readonly nodes: readonly FlowNode[];
  readonly setPlaces: (places: ReadonlyMap<string, { x: number; y: number }>) => void;
}

export function LightLayer({ scene, nodes, setPlaces }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const store = useStoreApi();
  const language = useLanguage();
  const types = useTypes();
  const run = useRun();
  const painted = useRef<Painted | null>(null);
  const request = useRef(() => {});
  const workflow = useDocument();
  const graph = useGraph();

  painted.current = {
    graph,
    nodes,
    edges: scene.edges,
    titles: (id) => {
      const node = graph.nodes.get(id);
      if (node === undefined) return graph.groups.get(id)?.title ?? "";
      return nodeTitle(node, shapeOf(node, graph, workflow, types), workflow, language);
    },
    status: (id) => run?.nodes.get(pathOf(id))?.status,
  };

  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context) return;
    let palette = readPalette();
    let frame = 0;
    const draw = () => {
      frame = 0;
      const { transform, width, height } = store.getState();
      const ratio = Math.min(window.devicePixelRatio, 2);
      if (element.width !== width * ratio || element.height !== height * ratio) {
        element.width = width * ratio;
        element.height = height * ratio;
      }
      const [x, y, zoom] = transform;
      if (painted.current !== null) paint(context, painted.current, { x, y, zoom }, palette, ratio);
    };
    request.current = () => {
      if (frame === 0) frame = requestAnimationFrame(draw);
    };
    let before = store.getState();
    const stop = store.subscribe((state) => {
      const same =
        state.transform === before.transform &&
        state.width === before.width &&
        state.height === before.height;
      before = state;
      if (!same) request.current();
    });
    const theme = new MutationObserver(() => {
      palette = readPalette();
      request.current();
    });
    theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    draw();
    return () => {
      stop();
      theme.disconnect();
      cancelAnimationFrame(frame);
    };
  }, [store]);
  useEffect(() => request.current());

  useDrag(canvas, nodes, setPlaces);
  return <canvas ref={canvas} className="light-layer" />;
}

/** Pointers that begin on a node move or select it; all others are left to the pane below. */
function useDrag(
  canvas: React.RefObject<HTMLCanvasElement | null>,
  nodes: readonly FlowNode[],
  setPlaces: Props["setPlaces"],
): void {
  const store = useStoreApi();
  const latest = useRef(nodes);
  latest.current = nodes;
  useEffect(() => {
    const box = canvas.current?.closest<HTMLElement>(".canvas");
    if (!box) return;
    const at = (event: { clientX: number; clientY: number }) => {
      const { left, top } = box.getBoundingClientRect();
      const [x, y, zoom] = store.getState().transform;
      return { x: (event.clientX - left - x) / zoom, y: (event.clientY - top - y) / zoom };
    };
    const hitAt = (event: { clientX: number; clientY: number; target: EventTarget | null }) => {
      const onPane = event.target instanceof Element && event.target.closest(".react-flow__pane");
      const { x, y } = at(event);
      return onPane ? nodeAt(latest.current, x, y) : null;
    };
    let swallow = false;
    const onPointerDown = (event: globalThis.PointerEvent) => {
      const node = event.button === 0 && event.isPrimary ? hitAt(event) : null;
      swallow = node !== null;
      if (node === null) return;
      event.stopPropagation();
      select(node.id, event.shiftKey || event.ctrlKey || event.metaKey);
      drag(event, node, at, latest, setPlaces);
    };
    const stopIfHit = (event: Event) => {
      if (swallow) event.stopPropagation();
    };
    const onMenu = (event: globalThis.MouseEvent) => {
      const node = hitAt(event);
      if (node === null) return;
      event.preventDefault();
      event.stopPropagation();
      if (!activeTab()?.selection.has(node.id)) select(node.id, false);
      const screen = [event.clientX, event.clientY] as const;
      show({ menu: { target: { kind: "node", id: node.id }, screen } });
    };
    const capture = { capture: true };
    const swallowed = ["mousedown", "touchstart", "click", "dblclick"];
    box.addEventListener("pointerdown", onPointerDown, capture);
    box.addEventListener("contextmenu", onMenu, capture);
    for (const name of swallowed) box.addEventListener(name, stopIfHit, capture);
    return () => {
      box.removeEventListener("pointerdown", onPointerDown, capture);
      box.removeEventListener("contextmenu", onMenu, capture);
      for (const name of swallowed) box.removeEventListener(name, stopIfHit, capture);
    };
  }, [canvas, store, setPlaces]);
}

function drag(
  start: globalThis.PointerEvent,
  node: FlowNode,
  at: (event: { clientX: number; clientY: number }) => { x: number; y: number },
  latest: React.RefObject<readonly FlowNode[]>,
  setPlaces: Props["setPlaces"],
): void {
  if (useView.getState().locked || node.draggable === false) return;
  const from = at(start);
  const chosen = activeTab()?.selection ?? new Set([node.id]);
  const moved = latest.current.filter((one) => chosen.has(one.id) && one.draggable !== false);
  let places = new Map<string, { x: number; y: number }>();
  const onMove = (event: globalThis.PointerEvent) => {
    const now = at(event);
    places = new Map(
      moved.map(({ id, position }) => [
        id,
        { x: position.x + now.x - from.x, y: position.y + now.y - from.y },
      ]),
    );
    setPlaces(places);
  };
  const onUp = () => {
    window.removeEventListener("pointermove", onMove);
    window.removeEventListener("pointerup", onUp);
    window.removeEventListener("pointercancel", onUp);
    if (places.size > 0) commitPlaces(places);
    setPlaces(new Map());
  };
  window.addEventListener("pointermove", onMove);
  window.addEventListener("pointerup", onUp);
  window.addEventListener("pointercancel", onUp);
}

function select(id: string, also: boolean): void {
  const chosen = activeTab()?.selection ?? new Set<string>();
  if (chosen.has(id) && !also) return;
  const next = also ? new Set([...chosen, id]) : new Set([id]);
  if (also && chosen.has(id)) next.delete(id);
  useWorkspace.getState().select(next);
}

/** Light drawing of a scene on a canvas element: for zoomed-out views and the minimap. */

import type { Graph } from "../model/document";
import { socketLook } from "../model/sockets";
import type { FlowEdge, FlowNode } from "./flow";

export interface Camera2d {
  readonly x: number;
  readonly y: number;
  readonly zoom: number;
}

export interface Palette {
  readonly node: string;
  readonly header: string;
  readonly outline: string;
  readonly accent: string;
  readonly bad: string;
  readonly good: string;
  readonly text: string;
  /** How much of its colour a title has. */
  readonly tinting: number;
  /** How much of its colour a frame has. */
  readonly frameTinting: number;
  wire(type: string): string;
}

const LABELS_FROM = 0.16;
const MOST_LABELS = 400;

export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string) => style.getPropertyValue(name).trim();
  const share = (name: string) => Number.parseFloat(read(name)) / 100;
  const wires = new Map<string, string>();
  return {
    node: read("--surface"),
    header: read("--surface-hover"),
    outline: read("--line-strong"),
    accent: read("--accent"),
    bad: read("--bad"),
    good: read("--good"),
    text: read("--text"),
    tinting: share("--tinting"),
    frameTinting: share("--frame-tinting"),
    wire: (type) => {
      const known = wires.get(type);
      if (known !== undefined) return known;
      const color = read(socketLook(type).color.slice(4, -1));
      wires.set(type, color);
      return color;
    },
  };
}

export interface Painted {
  readonly graph: Graph;
  readonly nodes: readonly FlowNode[];
  readonly edges: readonly FlowEdge[];
  readonly titles: (id: string) => string;
  readonly status: (id: string) => string | undefined;
}

/** Draw all that is in view. */
export function paint(
  context: CanvasRenderingContext2D,
  { graph, nodes, edges, titles, status }: Painted,
  camera: Camera2d,
  palette: Palette,
  ratio: number,
): void {
  const { width, height } = context.canvas;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  const scale = camera.zoom * ratio;
  context.setTransform(scale, 0, 0, scale, camera.x * ratio, camera.y * ratio);
  const left = -camera.x / camera.zoom;
  const top = -camera.y / camera.zoom;
  const right = left + width / scale;
  const bottom = top + height / scale;
  const seen = nodes.filter(
    (node) =>
      node.position.x < right &&
      node.position.y < bottom &&
      node.position.x + (node.width ?? 0) > left &&
      node.position.y + (node.height ?? 0) > top,
  );
  for (const node of seen)
    if (node.type === "group-frame") paintGroup(context, node, graph, palette);
  paintWires(context, edges, nodes, palette, [left, top, right, bottom], camera.zoom);
  for (const node of seen) {
    if (node.type !== "group-frame")
      paintNode(context, node, graph, palette, status(node.id), camera.zoom);
  }
  if (camera.zoom >= LABELS_FROM && seen.length <= MOST_LABELS) {
    context.fillStyle = palette.text;
    context.font = "600 22px system-ui, sans-serif";
    context.textBaseline = "middle";
    for (const node of seen) {
      const { x, y } = node.position;
      context.fillText(titles(node.id), x + 10, y + 17, (node.width ?? 0) - 20);
    }
  }
}

function paintGroup(
  context: CanvasRenderingContext2D,
  node: FlowNode,
  graph: Graph,
  palette: Palette,
): void {
  context.globalAlpha = palette.frameTinting;
  context.fillStyle = graph.groups.get(node.id)?.color || palette.outline;
  context.fillRect(node.position.x, node.position.y, node.width ?? 0, node.height ?? 0);
  context.globalAlpha = 1;
}

function paintNode(
  context: CanvasRenderingContext2D,
  node: FlowNode,
  graph: Graph,
  palette: Palette,
  status: string | undefined,
  zoom: number,
): void {
  const { x, y } = node.position;
  const width = node.width ?? 0;
  const height = node.height ?? 0;
  const saved = graph.nodes.get(node.id);
  const color = saved?.extra["color"];
  const alpha = saved?.mode === "muted" || saved?.mode === "bypassed" ? 0.45 : 1;
  context.globalAlpha = alpha;
  context.fillStyle = palette.node;
  context.fillRect(x, y, width, height);
  context.globalAlpha = alpha * palette.tinting;
  context.fillStyle = typeof color === "string" ? color : palette.header;
  context.fillRect(x, y, width, Math.min(height, 32));
  context.globalAlpha = 1;
  const edge = node.selected
    ? palette.accent
    : status === "error"
      ? palette.bad
      : status === "running"
        ? palette.good
        : null;
  if (edge === null) return;
  context.strokeStyle = edge;
  context.lineWidth = 2.5 / zoom;
  context.strokeRect(x, y, width, height);
}

function paintWires(
  context: CanvasRenderingContext2D,
  edges: readonly FlowEdge[],
  nodes: readonly FlowNode[],
  palette: Palette,
  [left, top, right, bottom]: readonly [number, number, number, number],
  zoom: number,
): void {
  const places = new Map(nodes.map((node) => [node.id, node]));
  const paths = new Map<string, Path2D>();
  for (const edge of edges) {
    const source = places.get(edge.source);
    const target = places.get(edge.target);
    if (source === undefined || target === undefined) continue;
    const x1 = source.position.x + (source.width ?? 0);
    const y1 = source.position.y + handleY(source, "source", edge.sourceHandle ?? "");
    const x2 = target.position.x;
    const y2 = target.position.y + handleY(target, "target", edge.targetHandle ?? "");
    if (Math.max(x1, x2) < left || Math.min(x1, x2) > right) continue;
    if (Math.max(y1, y2) < top || Math.min(y1, y2) > bottom) continue;
    const type = edge.data?.type ?? "*";
    const path = paths.get(type) ?? new Path2D();
    paths.set(type, path);
    const bend = Math.max(30, Math.abs(x2 - x1) / 2);
    path.moveTo(x1, y1);
    if (zoom < 0.12) path.lineTo(x2, y2);
    else path.bezierCurveTo(x1 + bend, y1, x2 - bend, y2, x2, y2);
  }
  context.lineWidth = Math.max(2, 1 / zoom);
  for (const [type, path] of paths) {
    context.strokeStyle = palette.wire(type);
    context.stroke(path);
  }
}

function handleY(node: FlowNode, type: "source" | "target", id: string): number {
  const found = node.handles?.find((handle) => handle.type === type && handle.id === id);
  return found === undefined ? 16 : found.y + (found.height ?? 0) / 2;
}

/** The uppermost node at a point of the canvas. */
export function nodeAt(nodes: readonly FlowNode[], x: number, y: number): FlowNode | null {
  for (let at = nodes.length - 1; at >= 0; at -= 1) {
    const node = nodes[at];
    if (node === undefined || node.type === "group-frame") continue;
    const { position, width = 0, height = 0 } = node;
    const hit =
      x >= position.x && x <= position.x + width && y >= position.y && y <= position.y + height;
    if (hit) return node;
  }
  return null;
}

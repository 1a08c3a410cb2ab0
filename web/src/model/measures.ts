/** How large a node is and where its sockets are, in pixels: known before anything is drawn. */

import type { Bounds, GraphNode, Point, Size } from "./document";
import type { InputShape, NodeShape } from "./shape";

export const HEADER = 32;
export const SOCKET_ROW = 24;
export const WIDGET_ROW = 30;
export const TEXT_ROW = 96;
export const PICTURE_ROW = 150;
export const PADDING = 8;
export const SHOWN_HEIGHT = 200;
export const LEAST_WIDTH = 200;
export const USUAL_WIDTH = 260;
const REROUTE: Size = [44, 26];
const NOTE: Size = [240, 140];

export interface Measures {
  readonly size: Size;
  /** Height of each widget's row, in the order of the widgets. */
  readonly widgetRows: readonly number[];
  /** Height left for what the node shows. */
  readonly shownHeight: number;
  /** The middle of each input's socket, from the node's top. */
  readonly inputs: ReadonlyMap<string, number>;
  readonly outputs: readonly number[];
}

export function isCollapsed(node: GraphNode): boolean {
  const flags = node.extra["flags"];
  return (
    typeof flags === "object" &&
    flags !== null &&
    "collapsed" in flags &&
    flags["collapsed"] === true
  );
}

export function isPinned(node: GraphNode): boolean {
  const flags = node.extra["flags"];
  return (
    typeof flags === "object" && flags !== null && "pinned" in flags && flags["pinned"] === true
  );
}

/** The measures of a node; `shows`: whether it has pictures or texts to show now. */
export function measure(node: GraphNode, shape: NodeShape, shows: boolean): Measures {
  if (shape.kind === "reroute") return fixed(REROUTE, shape);
  if (shape.kind === "note") return fixed(node.size ?? NOTE, shape);
  const width = Math.max(LEAST_WIDTH, node.size?.[0] ?? USUAL_WIDTH);
  if (isCollapsed(node)) return fixed([width, HEADER], shape);
  const sockets = Math.max(shape.sockets.length, shape.outputs.length);
  const least = shape.widgets.map(leastRow);
  const content = HEADER + PADDING + sockets * SOCKET_ROW + sum(least) + PADDING;
  const withShown = content + (shows ? SHOWN_HEIGHT : 0);
  const saved = node.size?.[1] ?? 0;
  const flexible = shape.widgets.map(isFlexible);
  const growing = flexible.filter(Boolean).length;
  const spare = Math.max(0, saved - withShown);
  const height = withShown + (growing > 0 || shows ? spare : 0);
  const share = growing > 0 && !shows ? spare / growing : 0;
  const widgetRows = least.map((row, place) => row + (flexible[place] ? share : 0));
  return {
    size: [width, height],
    widgetRows,
    shownHeight: shows ? SHOWN_HEIGHT + spare : 0,
    inputs: inputPlaces(shape, sockets, widgetRows),
    outputs: shape.outputs.map((_, place) => socketMiddle(place)),
  };
}

function socketMiddle(place: number): number {
  return HEADER + PADDING + (place + 0.5) * SOCKET_ROW;
}

function inputPlaces(
  shape: NodeShape,
  sockets: number,
  rows: readonly number[],
): ReadonlyMap<string, number> {
  const found = new Map(shape.sockets.map((input, place) => [input.name, socketMiddle(place)]));
  let top = HEADER + PADDING + sockets * SOCKET_ROW;
  shape.widgets.forEach((input, place) => {
    const row = rows[place] ?? WIDGET_ROW;
    found.set(input.name, top + Math.min(row, WIDGET_ROW) / 2);
    top += row;
  });
  return found;
}

function leastRow(input: InputShape): number {
  if (input.asInput) return WIDGET_ROW;
  if (isFlexible(input)) return TEXT_ROW;
  return input.widget?.kind === "image" ? WIDGET_ROW + PICTURE_ROW : WIDGET_ROW;
}

function isFlexible(input: InputShape): boolean {
  const widget = input.widget;
  if (widget === null || input.asInput) return false;
  return (widget.kind === "text" || widget.kind === "prompt") && widget.multiline;
}

/** All sockets at half the height: reroutes, collapsed nodes. */
function fixed(size: Size, shape: NodeShape): Measures {
  const middle = Math.min(size[1], HEADER) / 2;
  const names = [...shape.sockets, ...shape.widgets].map((input) => input.name);
  return {
    size,
    widgetRows: [],
    shownHeight: 0,
    inputs: new Map(names.map((name) => [name, middle])),
    outputs: shape.outputs.map(() => middle),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

/** Whether a frame holds a box whole: it moves with the frame. */
export function holds(
  [left, top, width, height]: Bounds,
  [x, y, boxWidth, boxHeight]: Bounds,
): boolean {
  return x >= left && y >= top && x + boxWidth <= left + width && y + boxHeight <= top + height;
}

/** The nearest point of the grid. */
export function snapped([x, y]: Point, grid: number): Point {
  return [Math.round(x / grid) * grid, Math.round(y / grid) * grid];
}

/** What is open over the canvas, and how it is set; none of it is part of the workflow. */

import { create } from "zustand";
import type { Point } from "../model/document";
import type { LooseEnd, Refusal } from "../model/edits";

export interface Search {
  /** Where the new node goes, on the canvas. */
  readonly at: Point;
  /** Where the list opens, on the screen. */
  readonly screen: Point;
  /** Whether the place may give way to what stands there. */
  readonly yields?: boolean;
  /** What the new node is linked to. */
  readonly link?: LooseEnd;
  /** The link into which the new node is put. */
  readonly into?: string;
  /** The node that gets another type, instead of a new node. */
  readonly replaces?: string;
}

export type MenuTarget =
  | { readonly kind: "canvas"; readonly at: Point }
  | { readonly kind: "node"; readonly id: string }
  | { readonly kind: "group"; readonly id: string }
  | { readonly kind: "link"; readonly id: string; readonly at: Point }
  | { readonly kind: "widget"; readonly id: string; readonly input: string }
  | { readonly kind: "slot"; readonly side: "inputs" | "outputs"; readonly name: string };

export interface Menu {
  readonly target: MenuTarget;
  readonly screen: Point;
}

export interface Notice {
  readonly text: string;
  readonly turn: number;
}

export interface Mask {
  readonly node: string;
  readonly input: string;
  readonly file: string;
}

interface View {
  readonly search: Search | null;
  readonly menu: Menu | null;
  /** The keyboard's way to link: a list of all that fits. */
  readonly wiring: LooseEnd | null;
  readonly notice: Notice | null;
  readonly mask: Mask | null;
  /** The node whose title is being written. */
  readonly naming: string | null;
  readonly snap: boolean;
  readonly locked: boolean;
  readonly minimap: boolean;
  readonly outline: boolean;
  /** Whether the view is being moved now. */
  readonly moving: boolean;
  /** The node that the pointer is over, and the one with the focus in it. */
  readonly pointed: string | null;
  readonly focused: string | null;
}

export const GRID = 10;

export const useView = create<View>()(() => ({
  search: null,
  menu: null,
  wiring: null,
  notice: null,
  mask: null,
  naming: null,
  snap: localStorage.getItem("graphengine.snap") === "yes",
  locked: false,
  minimap: localStorage.getItem("graphengine.minimap") !== "no",
  outline: false,
  moving: false,
  pointed: null,
  focused: null,
}));

export function show(part: Partial<View>): void {
  useView.setState(part);
}

export function toggle(name: "snap" | "minimap" | "locked" | "outline"): void {
  const on = !useView.getState()[name];
  if (name === "snap" || name === "minimap") {
    localStorage.setItem(`graphengine.${name}`, on ? "yes" : "no");
  }
  useView.setState({ [name]: on });
}

/** Say something at the top of the canvas for a moment. */
export function say(text: string): void {
  useView.setState(({ notice }) => ({ notice: { text, turn: (notice?.turn ?? 0) + 1 } }));
}

export function isRefusal(value: object): value is Refusal {
  return "refused" in value;
}

/** What the canvas lets others do with its viewport; set while it is mounted. */
export interface Camera {
  zoomBy(factor: number): void;
  /** Move what is seen by pixels of the screen. */
  panBy(x: number, y: number): void;
  /** The point of the canvas in the middle of the view. */
  centre(): Point;
  toCanvas(screen: Point): Point;
  toScreen(point: Point): Point;
}

export const camera: { current: Camera | null } = { current: null };

/** Which panels and dialogs are open in this window. */

import { create } from "zustand";
import type { OpenedAnswer } from "../protocol/generated";

export const LEFT_PANELS = ["workflows", "queue", "gallery", "problems", "plugins"] as const;
export type LeftPanel = (typeof LEFT_PANELS)[number];

export type DialogShown =
  | { readonly kind: "palette" }
  | { readonly kind: "preferences"; readonly page?: "general" | "keys" }
  | { readonly kind: "templates" }
  | { readonly kind: "picture"; readonly picture: string }
  | { readonly kind: "missing"; readonly tab: string; readonly opened: OpenedAnswer }
  | { readonly kind: "address"; readonly address: string }
  | { readonly kind: "help"; readonly type: string };

interface Panels {
  readonly left: LeftPanel | null;
  /** Whether the settings panel is open. */
  readonly side: boolean;
  readonly dialog: DialogShown | null;
  toggleLeft(panel: LeftPanel): void;
  showLeft(panel: LeftPanel): void;
  toggleSide(): void;
  show(dialog: DialogShown): void;
  close(): void;
}

const STORED = "graphengine.panels";
const WIDE_PX = 1000;

export const usePanels = create<Panels>()((set, get) => {
  const keep = (shown: Partial<Pick<Panels, "left" | "side">>) => {
    set(shown);
    const { left, side } = get();
    localStorage.setItem(STORED, JSON.stringify({ left, side }));
  };
  return {
    ...stored(),
    dialog: null,
    toggleLeft: (panel) => keep({ left: get().left === panel ? null : panel }),
    showLeft: (panel) => keep({ left: panel }),
    toggleSide: () => keep({ side: !get().side }),
    show: (dialog) => set({ dialog }),
    close: () => set({ dialog: null }),
  };
});

function stored(): Pick<Panels, "left" | "side"> {
  const before: { left?: unknown; side?: unknown } = readStored();
  const left = LEFT_PANELS.find((panel) => panel === before.left) ?? null;
  const side = typeof before.side === "boolean" ? before.side : window.innerWidth >= WIDE_PX;
  return { left, side };
}

function readStored(): { left?: unknown; side?: unknown } {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(STORED) ?? "{}");
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

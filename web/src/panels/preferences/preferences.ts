/** What a person prefers in this browser, beside the theme and the language. */

import { create } from "zustand";

export interface Preferences {
  readonly motion: "system" | "reduced";
  /** Whether the first hint was seen. */
  readonly greeted: boolean;
}

interface PreferencesState extends Preferences {
  set(changed: Partial<Preferences>): void;
}

const STORED = "graphengine.preferences";
const DEFAULTS: Preferences = { motion: "system", greeted: false };

export const usePreferences = create<PreferencesState>()((set, get) => ({
  ...stored(),
  set: (changed) => {
    set(changed);
    const { motion, greeted } = get();
    localStorage.setItem(STORED, JSON.stringify({ motion, greeted }));
    showMotion();
  },
}));

/** Show on the page how much may move. */
export function showMotion(): void {
  const { motion } = usePreferences.getState();
  if (motion === "reduced") document.documentElement.dataset["motion"] = "reduced";
  else delete document.documentElement.dataset["motion"];
}

function stored(): Preferences {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(STORED) ?? "{}");
    return { ...DEFAULTS, ...(typeof value === "object" ? value : {}) };
  } catch {
    return DEFAULTS;
  }
}

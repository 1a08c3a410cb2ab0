/** Dark or light: what the person chose, else what the system says. */

import { create } from "zustand";

export type Theme = "system" | "dark" | "light";

const STORED = "graphengine.theme";
const prefersLight = () => window.matchMedia("(prefers-color-scheme: light)");

interface ThemeState {
  readonly theme: Theme;
  setTheme(theme: Theme): void;
}

export const useTheme = create<ThemeState>()((set) => ({
  theme: storedTheme(),
  setTheme: (theme) => {
    localStorage.setItem(STORED, theme);
    set({ theme });
    showTheme();
  },
}));

/** Show the theme on the page now, and again whenever the system changes its mind. */
export function startTheme(): void {
  showTheme();
  prefersLight().addEventListener("change", showTheme);
}

function showTheme(): void {
  const { theme } = useTheme.getState();
  const shown = theme === "system" ? (prefersLight().matches ? "light" : "dark") : theme;
  document.documentElement.dataset["theme"] = shown;
}

function storedTheme(): Theme {
  const stored = localStorage.getItem(STORED);
  return stored === "dark" || stored === "light" ? stored : "system";
}

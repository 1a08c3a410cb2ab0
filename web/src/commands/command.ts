/** A thing that can be done: menu, palette, shortcuts and help are made from these. */

export type Category = "file" | "edit" | "view" | "node" | "graph" | "run" | "help";

export interface Command {
  /** Stable, "area.verb": rebound shortcuts name it. */
  readonly id: string;
  /** The key of its text. */
  readonly label: string;
  readonly category: Category;
  /** As "Mod+Shift+Z": Mod is Ctrl, on a Mac Cmd. Several are several. */
  readonly shortcut?: string | readonly string[];
  /** The browser's own key for it, which works whatever is bound: shown, and taken. */
  readonly browserKey?: string;
  /** Whether it can be done now; always, if absent. */
  readonly enabled?: () => boolean;
  /** Whether it also works while somebody types in a field. */
  readonly whileTyping?: boolean;
  /** Whether it also works in a list, and in a field whose typing is settled. */
  readonly atRest?: boolean;
  readonly run: () => void | Promise<void>;
}

export function isEnabled(command: Command): boolean {
  return command.enabled?.() ?? true;
}

/** Which keys call which command; what a person chose stands in the browser's storage. */

import { create } from "zustand";
import { type Command, isEnabled } from "./command";

const STORED = "graphengine.keys";

interface Keymap {
  /** Shortcuts by command that differ from the command's own; an empty list is none. */
  readonly chosen: { readonly [command: string]: readonly string[] };
  rebind(command: string, shortcuts: readonly string[]): void;
  reset(command?: string): void;
}

export const useKeymap = create<Keymap>()((set, get) => {
  const keep = (chosen: Keymap["chosen"]) => {
    localStorage.setItem(STORED, JSON.stringify(chosen));
    set({ chosen });
  };
  return {
    chosen: storedKeys(),
    rebind: (command, shortcuts) => keep({ ...get().chosen, [command]: shortcuts }),
    reset: (command) =>
      keep(
        command === undefined
          ? {}
          : Object.fromEntries(Object.entries(get().chosen).filter(([id]) => id !== command)),
      ),
  };
});

function storedKeys(): Keymap["chosen"] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORED) ?? "{}");
    return typeof stored === "object" && stored !== null ? (stored as Keymap["chosen"]) : {};
  } catch {
    return {};
  }
}

export function shortcutsOf(
  command: Command,
  chosen = useKeymap.getState().chosen,
): readonly string[] {
  const own = command.shortcut ?? [];
  return chosen[command.id] ?? (typeof own === "string" ? [own] : own);
}

/** All keys that call a command, for reading: the browser's own, then those that are bound. */
export function keysOf(command: Command, chosen = useKeymap.getState().chosen): readonly string[] {
  const bound = shortcutsOf(command, chosen);
  return command.browserKey === undefined ? bound : [command.browserKey, ...bound];
}

const onMac = (): boolean => /Mac|iPhone|iPad/.test(navigator.platform);

/** A shortcut as it is read: "Ctrl+Z", on a Mac "⌘Z". */
export function shortcutText(shortcut: string): string {
  if (!onMac()) return shortcut.replace("Mod", "Ctrl");
  const signs: { readonly [key: string]: string } = { Mod: "⌘", Shift: "⇧", Alt: "⌥", Ctrl: "⌃" };
  return shortcut
    .split("+")
    .map((key) => signs[key] ?? key)
    .join("");
}

/** The shortcut that a key event is, as "Mod+Shift+Z". */
export function shortcutOf(event: KeyboardEvent): string {
  const mod = onMac() ? event.metaKey : event.ctrlKey;
  const other = onMac() ? event.ctrlKey : event.metaKey;
  // With Shift a digit's key tells what the layout writes there, as "!".
  const digit = event.shiftKey ? /^Digit(\d)$/.exec(event.code)?.[1] : undefined;
  const key = digit ?? (event.key === " " ? "Space" : event.key);
  const shift = event.shiftKey && (key.length > 1 || /[a-z\d]/i.test(key));
  const held = [mod && "Mod", other && "Ctrl", event.altKey && "Alt", shift && "Shift"];
  return [...held.filter(Boolean), key.length === 1 ? key.toUpperCase() : key].join("+");
}

/** Whether the event happens in something that is typed in. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement) return true;
  if (target instanceof HTMLSelectElement) return true;
  const silent = ["button", "checkbox", "radio", "range", "color", "file"];
  return target instanceof HTMLInputElement && !silent.includes(target.type);
}

/** Whether nothing is under way where an event happens: a list, or a field marked as settled. */
function isResting(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target instanceof HTMLSelectElement || target.dataset.resting !== undefined;
}

/** Run the command that a key event calls, unless keys are somebody else's; whether there was one. */
export function callByKey(
  event: KeyboardEvent,
  commands: readonly Command[],
  isTaken: () => boolean = () => false,
): boolean {
  // A key that an input method is composing with belongs to the input method.
  if (event.isComposing || event.keyCode === 229 || event.defaultPrevented) return false;
  const pressed = shortcutOf(event);
  const typing = isTyping(event.target);
  const resting = typing && isResting(event.target);
  const called = commands.find(
    (command) =>
      shortcutsOf(command).includes(pressed) &&
      (!typing || command.whileTyping || (resting && command.atRest)) &&
      isEnabled(command),
  );
  if (called === undefined || isTaken()) return false;
  event.preventDefault();
  void called.run();
  return true;
}

/** Going to a node and to one of its inputs. */

import { useWorkspace } from "../../state/workspace";

const APPEARS_MS = 250;

/** Bring a node into view, select it, and put the focus on its input's widget. */
export function goToInput(path: string | null, input: string | null): void {
  if (path === null) return;
  useWorkspace.getState().goTo(path);
  if (input === null) return;
  const id = path.split(":").at(-1) ?? path;
  setTimeout(() => {
    const node = document.querySelector(`.react-flow__node[data-id="${CSS.escape(id)}"]`);
    const field = node?.querySelector<HTMLElement>(`[data-input="${CSS.escape(input)}"]`);
    const focusable = field?.matches("input, textarea, select, button")
      ? field
      : field?.querySelector<HTMLElement>("input, textarea, select, button");
    focusable?.focus({ preventScroll: true });
  }, APPEARS_MS);
}

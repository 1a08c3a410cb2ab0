/** Going to a node and to one of its inputs. */

import { useWorkspace } from "../../state/workspace";

const TRIES = 20;
const TRY_MS = 50;

/** Bring a node into view, select it, and put the focus on its input's field or socket. */
export function goToInput(path: string | null, input: string | null): void {
  if (path === null) return;
  useWorkspace.getState().goTo(path);
  if (input !== null) focusInput(path.split(":").at(-1) ?? path, input, TRIES);
}

/** The node may have to be drawn first. */
function focusInput(node: string, input: string, tries: number): void {
  setTimeout(() => {
    const found = fieldOrSocket(node, input);
    if (found !== null) found.focus({ preventScroll: true });
    else if (tries > 0) focusInput(node, input, tries - 1);
  }, TRY_MS);
}

function fieldOrSocket(id: string, input: string): HTMLElement | null {
  const node = document.querySelector(`.react-flow__node[data-id="${CSS.escape(id)}"]`);
  const name = CSS.escape(input);
  const places = [
    `[data-input="${name}"] :is(input:not([type="range"]), textarea, select)`,
    `[data-input="${name}"] button`,
    `.target[data-handleid="${name}"]`,
  ];
  for (const place of places) {
    const found = node?.querySelector<HTMLElement>(place);
    if (found) return found;
  }
  return null;
}

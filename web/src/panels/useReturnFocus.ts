import { useRef } from "react";

/** For a dialog that no trigger opens: gives the focus back to what had it before. */
export function useReturnFocus(): (event: Event) => void {
  const before = useRef(document.activeElement);
  return (event) => {
    event.preventDefault();
    if (before.current instanceof HTMLElement) before.current.focus({ preventScroll: true });
  };
}

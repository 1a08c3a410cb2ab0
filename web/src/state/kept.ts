import { useCallback, useRef } from "react";
import { isEqual } from "../model/equal";

/** Gives each value it is called with, or the one before where that is the same. */
export function useKept<T>(isSame: (one: T, other: T) => boolean = isEqual): (value: T) => T {
  const before = useRef<{ readonly value: T }>(undefined);
  return useCallback(
    (value) => {
      if (before.current === undefined || !isSame(before.current.value, value)) {
        before.current = { value };
      }
      return before.current.value;
    },
    [isSame],
  );
}

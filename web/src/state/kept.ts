import { useCallback, useRef } from "react";
import { isEqual } from "../model/equal";

/** Gives each value it is called with, or the one before where that is equal. */
export function useKept<T>(): (value: T) => T {
  const before = useRef<T>(undefined);
  return useCallback((value) => {
    if (!isEqual(before.current, value)) before.current = value;
    return before.current as T;
  }, []);
}

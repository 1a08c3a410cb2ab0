import type { FailureAnswer } from "../../protocol/generated";

/** Where something failed: `FILE:LINE`, or the file alone where no line is known. */
export function placeOf(failure: FailureAnswer): string {
  return failure.line > 0 ? `${failure.file}:${failure.line}` : failure.file;
}

/** Short messages at the edge of the window. */

import i18next from "i18next";
import { create } from "zustand";
import { errorText } from "../../api/http";

export interface Notice {
  readonly id: number;
  readonly tone: "good" | "plain" | "bad";
  readonly text: string;
  readonly action?: NoticeAction;
}

/** What a person can do about it. */
export interface NoticeAction {
  readonly text: string;
  readonly run: () => void;
}

const SHOWN_MS = 6000;
const LONG_MS = 15_000;
const MOST = 4;

interface Notices {
  readonly notices: readonly Notice[];
  readonly last: number;
}

export const useNotices = create<Notices>()(() => ({ notices: [], last: 0 }));

/** Tell the person something. */
export function tell(text: string, tone: Notice["tone"] = "plain", action?: NoticeAction): void {
  const { notices, last } = useNotices.getState();
  const id = last + 1;
  const others = notices.filter((notice) => notice.text !== text);
  const notice: Notice = { id, tone, text, ...(action === undefined ? {} : { action }) };
  useNotices.setState({ notices: [...others, notice].slice(-MOST), last: id });
  setTimeout(() => dismiss(id), tone === "bad" || action ? LONG_MS : SHOWN_MS);
}

export function dismiss(id: number): void {
  const { notices } = useNotices.getState();
  useNotices.setState({ notices: notices.filter((notice) => notice.id !== id) });
}

/** Wait for something that a person asked for; if it fails, they are told why and what else can be done. */
export async function attempt<T>(
  doing: Promise<T>,
  instead?: (error: unknown) => NoticeAction | undefined,
): Promise<T | undefined> {
  try {
    return await doing;
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "AbortError")) {
      tell(errorText(error, i18next.language), "bad", instead?.(error));
    }
    return undefined;
  }
}

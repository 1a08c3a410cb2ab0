/** The field in which a title is written: of a node, a note, a frame, a subgraph's input. */

import { type KeyboardEvent, useRef, useState } from "react";
import { show } from "../canvas/view";
import { useTranslation } from "../i18n";

interface Props {
  readonly title: string;
  /** Called once with another title than before; empty takes it away. */
  readonly rename: (title: string) => void;
}

export function TitleField({ title, rename }: Props) {
  const { t } = useTranslation();
  const [text, setText] = useState(title);
  const ended = useRef(false);
  const done = (next: string) => {
    if (ended.current) return;
    ended.current = true;
    show({ naming: null });
    if (next !== title) rename(next.trim());
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.nativeEvent.isComposing) return;
    event.stopPropagation();
    if (event.key !== "Enter" && event.key !== "Escape") return;
    const owner = event.currentTarget.closest<HTMLElement>(".react-flow__node");
    done(event.key === "Enter" ? text : title);
    owner?.focus({ preventScroll: true });
  };
  return (
    <input
      // biome-ignore lint/a11y/noAutofocus: somebody asked to write the title.
      autoFocus
      className="field nodrag"
      aria-label={t("canvas.title")}
      value={text}
      onFocus={(event) => event.target.select()}
      onChange={(event) => setText(event.target.value)}
      onBlur={() => done(text)}
      onKeyDown={onKeyDown}
    />
  );
}

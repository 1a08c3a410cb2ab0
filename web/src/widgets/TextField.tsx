/** A text of one or more lines; a prompt shows its weights and completes embeddings. */

import { type KeyboardEvent, type UIEvent, useRef, useState } from "react";
import { useTranslation } from "../i18n";
import { changeWeight, embeddingAt, promptTokens } from "../model/prompt";
import { matchScore, plain } from "../model/search";
import type { WidgetInfo } from "../model/shape";
import { useServer } from "../state/server";
import type { FieldProps } from "./Widget";

type TextWidget = Extract<WidgetInfo, { kind: "text" | "prompt" }>;

const WEIGHT_STEP = 0.05;
const MOST_OFFERED = 8;

export function TextField(props: FieldProps<TextWidget>) {
  const { label, widget, value, set } = props;
  // While an input method composes, the field shows its own text and nothing is committed.
  const [composing, setComposing] = useState<string | null>(null);
  const text =
    composing ?? (typeof value === "string" ? value : value == null ? "" : String(value));
  const common = {
    "aria-label": label,
    placeholder: widget.placeholder,
    value: text,
    spellCheck: false,
    onCompositionStart: () => setComposing(text),
  };
  if (!widget.multiline) {
    return (
      <input
        {...common}
        className="field nodrag"
        type="text"
        onChange={(event) =>
          composing === null ? set(event.target.value) : setComposing(event.target.value)
        }
        onCompositionEnd={(event) => {
          setComposing(null);
          set(event.currentTarget.value);
        }}
      />
    );
  }
  return <LongText {...props} text={text} composing={composing} setComposing={setComposing} />;
}

interface LongProps extends FieldProps<TextWidget> {
  readonly text: string;
  readonly composing: string | null;
  readonly setComposing: (text: string | null) => void;
}

function LongText({ label, widget, set, text, composing, setComposing }: LongProps) {
  const { t } = useTranslation();
  const back = useRef<HTMLDivElement>(null);
  const area = useRef<HTMLTextAreaElement>(null);
  const [offered, setOffered] = useState<readonly string[]>([]);
  const [chosen, setChosen] = useState(0);
  const isPrompt = widget.kind === "prompt";
  const embeddings = useServer((state) => state.embeddings);

  const offer = (now: string, cursor: number) => {
    const begun = isPrompt ? embeddingAt(now, cursor) : null;
    setOffered(begun === null ? [] : matching(embeddings, begun.typed));
    setChosen(0);
  };
  const complete = (name: string) => {
    const field = area.current;
    const begun = field && embeddingAt(text, field.selectionStart);
    if (field === null || !begun) return;
    typeOver(field, begun.from, field.selectionStart, name);
    setOffered([]);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.nativeEvent.isComposing) return;
    const arrow = event.key === "ArrowUp" ? 1 : event.key === "ArrowDown" ? -1 : 0;
    if (isPrompt && arrow !== 0 && (event.ctrlKey || event.metaKey)) {
      const { selectionStart, selectionEnd } = event.currentTarget;
      const edited = changeWeight(text, selectionStart, selectionEnd, arrow * WEIGHT_STEP);
      typeOver(event.currentTarget, 0, text.length, edited.text);
      event.currentTarget.setSelectionRange(edited.start, edited.end);
    } else if (offered.length > 0 && arrow !== 0) {
      setChosen((chosen - arrow + offered.length) % offered.length);
    } else if (offered.length > 0 && (event.key === "Enter" || event.key === "Tab")) {
      complete(offered[chosen] ?? "");
    } else if (offered.length > 0 && event.key === "Escape") setOffered([]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const onScroll = (event: UIEvent<HTMLTextAreaElement>) => {
    if (back.current !== null) back.current.scrollTop = event.currentTarget.scrollTop;
  };
  return (
    // A form of its own: at each letter browsers look at all fields of a form, to fill them in.
    <form className="long-text nodrag nowheel">
      {isPrompt && (
        <div className="long-text-back" ref={back} aria-hidden="true">
          <Highlighted text={text} />
        </div>
      )}
      <textarea
        ref={area}
        className={isPrompt ? "over" : undefined}
        aria-label={label}
        placeholder={widget.placeholder}
        spellCheck={false}
        value={text}
        onChange={(event) => {
          const now = event.target.value;
          if (composing === null) set(now);
          else setComposing(now);
          offer(now, event.target.selectionStart);
        }}
        onCompositionStart={() => setComposing(text)}
        onCompositionEnd={(event) => {
          setComposing(null);
          set(event.currentTarget.value);
        }}
        onKeyDown={onKeyDown}
        onScroll={onScroll}
        onBlur={() => setOffered([])}
      />
      {offered.length > 0 && (
        <div className="floating completions" role="listbox" aria-label={t("canvas.embeddings")}>
          {offered.map((name, at) => (
            <div
              key={name}
              className="menu-item"
              role="option"
              tabIndex={-1}
              aria-selected={at === chosen}
              onPointerDown={(event) => {
                event.preventDefault();
                complete(name);
              }}
            >
              {name}
            </div>
          ))}
        </div>
      )}
    </form>
  );
}

/** The prompt in colours, under the field's own transparent text. */
function Highlighted({ text }: { readonly text: string }) {
  let at = 0;
  return (
    <>
      {promptTokens(text).map((token) => {
        const key = at;
        at += token.text.length;
        const kind = token.part === "text" && token.depth > 0 ? "weighted" : token.part;
        return kind === "text" ? (
          token.text
        ) : (
          <span key={key} className={`prompt-${kind}`}>
            {token.text}
          </span>
        );
      })}
      {"\u200b"}
    </>
  );
}

function matching(names: readonly string[], typed: string): readonly string[] {
  const wanted = plain(typed);
  const plainName = (name: string) => plain(name.replace(/\.\w+$/, ""));
  return names
    .map((name) => ({ name, score: wanted === "" ? 0 : matchScore(plainName(name), wanted) }))
    .filter((one) => one.score !== null && one.name !== typed)
    .sort((a, b) => (b.score ?? 0) - (a.score ?? 0))
    .slice(0, MOST_OFFERED)
    .map((one) => one.name);
}

/** Write over a part of the text as typing does, so that the field's own undo takes it back. */
function typeOver(field: HTMLTextAreaElement, from: number, to: number, text: string): void {
  field.setSelectionRange(from, to);
  document.execCommand("insertText", false, text);
}

/** One of many: a list with search when it is long. */

import { Popover } from "radix-ui";
import { useState } from "react";
import { useTranslation } from "../i18n";
import { type Json, sameJson } from "../model/json";
import { matchScore, plain } from "../model/search";
import type { WidgetInfo } from "../model/shape";
import { intoView } from "../panels/intoView";
import type { FieldProps } from "./Widget";

type ChoiceWidget = Extract<WidgetInfo, { kind: "choice" | "model" | "image" }>;

const SEARCHED_FROM = 8;
const MOST_SHOWN = 200;

export function ChoiceField({ label, widget, value, set }: FieldProps<ChoiceWidget>) {
  return (
    <Choice
      label={label}
      choices={widget.choices as readonly Json[]}
      value={value}
      choose={(choice) => set(choice, { once: true })}
    />
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly choices: readonly Json[];
  readonly value: Json | undefined;
  readonly choose: (choice: Json) => void;
  /** What a choice is called; itself by default. */
  readonly name?: (choice: Json | undefined) => string;
  readonly title?: string;
}

/**
 * A button that opens a list. Not a native one: with that in a node, Chromium lays out and paints
 * all nodes anew for each frame of a moving view.
 */
export function Choice({ label, choices, value, choose, name = nameOf, title }: ChoiceProps) {
  const [open, setOpen] = useState(false);
  const missing = !choices.some((choice) => sameJson(choice, value));
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger asChild>
        <button
          type="button"
          className="choice-field nodrag"
          role="combobox"
          aria-label={label}
          aria-haspopup="listbox"
          aria-expanded={open}
          aria-invalid={missing && value !== undefined}
          title={title ?? name(value)}
        >
          <span>{name(value)}</span>
        </button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          className="floating choices nowheel"
          align="start"
          sideOffset={2}
          aria-label={label}
        >
          <Choices
            choices={choices}
            value={value}
            label={label}
            name={name}
            choose={(choice) => {
              choose(choice);
              setOpen(false);
            }}
          />
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

type ChoicesProps = Required<Omit<ChoiceProps, "title">>;

function Choices({ choices, value, label, choose, name }: ChoicesProps) {
  const { t } = useTranslation();
  const [words, setWords] = useState("");
  const shown = filtered(choices, words, name);
  const current = shown.findIndex((choice) => sameJson(choice, value));
  const [at, setAt] = useState(Math.max(0, current));
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys belong to the list inside.
    <div
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing) return;
        const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
        if (step !== 0) setAt((at + step + shown.length) % Math.max(1, shown.length));
        else if (event.key === "Enter") {
          const choice = shown[at];
          if (choice !== undefined) choose(choice);
        } else return;
        event.preventDefault();
        event.stopPropagation();
      }}
    >
      {choices.length >= SEARCHED_FROM ? (
        <input
          // biome-ignore lint/a11y/noAutofocus: the list was opened to search in it.
          autoFocus
          className="field"
          type="search"
          aria-label={t("canvas.searchChoices")}
          placeholder={t("canvas.searchChoices")}
          value={words}
          onChange={(event) => {
            setWords(event.target.value);
            setAt(0);
          }}
        />
      ) : null}
      <div className="choices-list" role="listbox" aria-label={label}>
        {shown.slice(0, MOST_SHOWN).map((choice, place) => (
          <button
            type="button"
            key={name(choice)}
            className="menu-item"
            role="option"
            aria-selected={place === at}
            data-current={sameJson(choice, value) || undefined}
            ref={place === at ? intoView : undefined}
            onClick={() => choose(choice)}
          >
            {name(choice)}
          </button>
        ))}
        {shown.length === 0 && <p className="hint">{t("canvas.nothingFound")}</p>}
      </div>
    </div>
  );
}

function filtered(
  choices: readonly Json[],
  words: string,
  name: ChoicesProps["name"],
): readonly Json[] {
  const wanted = plain(words);
  if (wanted === "") return choices;
  return choices
    .map((choice) => ({ choice, score: matchScore(plain(name(choice)), wanted) }))
    .filter((one) => one.score !== null)
    .sort((a, b) => (b.score ?? 0) - (a.score ?? 0))
    .map((one) => one.choice);
}

function nameOf(value: Json | undefined): string {
  return value === undefined || value === null ? "–" : String(value);
}

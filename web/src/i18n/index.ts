/** Texts: `en/<area>.json` and `ja/<area>.json` hold what `t("<area>.…")` says. */

import i18next, { type TFunction } from "i18next";
import { useSyncExternalStore } from "react";
import { later } from "../later";

export const LANGUAGES = ["en", "ja"] as const;
export type Language = (typeof LANGUAGES)[number];

const KEY = "graphengine.language";
const TEXTS = {
  en: later(() => import("./en")),
  ja: later(() => import("./ja")),
} as const satisfies Record<Language, () => Promise<{ texts: object }>>;

/** Ready to say something: in the chosen language, else in the browser's first that we have. */
export async function startI18n(): Promise<void> {
  await i18next.init({
    lng: "en",
    fallbackLng: "en",
    resources: { en: { translation: (await TEXTS.en()).texts } },
    interpolation: { escapeValue: false },
    returnNull: false,
  });
  await speak(chosenLanguage() ?? browserLanguage(navigator.languages));
}

/** Remembers a language, or the browser's with null, and changes to it. */
export async function chooseLanguage(language: Language | null): Promise<void> {
  if (language === null) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, language);
  await speak(language ?? browserLanguage(navigator.languages));
}

/** The language that the person chose; null if it is the browser's. */
export function chosenLanguage(): Language | null {
  const stored = localStorage.getItem(KEY);
  return LANGUAGES.find((language) => language === stored) ?? null;
}

/** The first of the browser's languages that we speak, else English. */
export function browserLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const known = LANGUAGES.find((language) => tag.toLowerCase().split("-")[0] === language);
    if (known !== undefined) return known;
  }
  return "en";
}

/** The language spoken now. */
export function language(): Language {
  return LANGUAGES.find((known) => known === i18next.language) ?? "en";
}

export interface Translation {
  readonly t: TFunction;
  readonly language: Language;
}

let translation: Translation | null = null;
i18next.on("languageChanged", () => {
  translation = null;
});

function current(): Translation {
  translation ??= { t: i18next.getFixedT(language()), language: language() };
  return translation;
}

function onChange(tell: () => void): () => void {
  i18next.on("languageChanged", tell);
  return () => i18next.off("languageChanged", tell);
}

/**
 * The texts in the language spoken now; who asks is drawn anew when it is another. react-i18next's
 * hook does far more, and took a sixth of the time in which a node is built.
 */
export function useTranslation(): Translation {
  return useSyncExternalStore(onChange, current);
}

async function speak(wanted: Language): Promise<void> {
  if (!i18next.hasResourceBundle(wanted, "translation")) {
    i18next.addResourceBundle(wanted, "translation", (await TEXTS[wanted]()).texts);
  }
  await i18next.changeLanguage(wanted);
  document.documentElement.lang = wanted;
}

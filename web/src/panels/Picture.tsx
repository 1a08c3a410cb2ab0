import { type ComponentProps, useEffect, useState } from "react";
import { type FileRef, viewUrl } from "../api/routes";
import { useTranslation } from "../i18n";
import { useServer } from "../state/server";
import { Icon } from "./Icon";

interface Props extends ComponentProps<"img"> {
  readonly alt: string;
  /** Too small for words: they are read aloud and shown at the pointer only. */
  readonly tiny?: boolean;
}

/** A picture of the server; a quiet box that says so where its file is gone. */
export function Picture({ tiny = false, ...picture }: Props) {
  const { t } = useTranslation();
  const connection = useServer((state) => state.connection);
  const [gone, setGone] = useState(false);
  const { src, className = "", alt } = picture;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another picture, or a server that is back, is worth another try
  useEffect(() => setGone(false), [src, connection]);
  // biome-ignore lint/a11y/useAltText: every Picture has one
  if (!gone) return <img {...picture} onError={() => setGone(true)} />;
  const text = t("gallery.gone");
  return (
    <span
      className={`picture-gone ${tiny ? "tiny" : ""} ${className}`}
      role="img"
      aria-label={alt === "" ? text : `${alt}: ${text}`}
      style={picture.style}
      title={text}
    >
      <Icon name="gone" />
      {tiny ? null : <span aria-hidden="true">{text}</span>}
    </span>
  );
}

/** A picture's file, small, beside words or in a button that say what it is. */
export function Thumb({ file }: { readonly file: FileRef }) {
  return <Picture className="thumb" src={viewUrl(file, "webp;80")} alt="" loading="lazy" tiny />;
}

/** What a node shows: the picture as it denoises, its results, or a text. */

import { memo, useState } from "react";
import { type FileRef, viewUrl } from "../api/routes";
import { useTranslation } from "../i18n";
import { Picture } from "../panels/Picture";
import type { NodeRun } from "../state/runs";

interface Props {
  readonly run: NodeRun | undefined;
  readonly height: number;
  readonly title: string;
}

export const NodeShown = memo(function NodeShown({ run, height, title }: Props) {
  const { t } = useTranslation();
  const pictures = filesOf(run);
  const texts = textsOf(run);
  const live = run?.status === "running" || pictures.length === 0 ? run?.previewUrl : undefined;
  return (
    <div className="node-shown" style={{ height }}>
      {live !== undefined ? (
        <img src={live} alt={t("canvas.preview", { title })} draggable={false} />
      ) : pictures.length > 0 ? (
        <Pictures files={pictures} title={title} />
      ) : texts.length > 0 ? (
        <pre className="nodrag nowheel">{texts.join("\n")}</pre>
      ) : (
        <p className="hint">{t("canvas.resultHere")}</p>
      )}
    </div>
  );
});

function Pictures({
  files,
  title,
}: {
  readonly files: readonly FileRef[];
  readonly title: string;
}) {
  const { t } = useTranslation();
  const [at, setAt] = useState(0);
  const place = Math.min(at, files.length - 1);
  const file = files[place];
  if (file === undefined) return null;
  const alt = t("canvas.result", { title, number: place + 1, count: files.length });
  return (
    <>
      <Picture src={viewUrl(file)} alt={alt} draggable={false} />
      {files.length > 1 && (
        <div className="node-pages nodrag">
          <button
            type="button"
            aria-label={t("canvas.before")}
            onClick={() => setAt((place - 1 + files.length) % files.length)}
          >
            ‹
          </button>
          <span>
            {place + 1}/{files.length}
          </span>
          <button
            type="button"
            aria-label={t("canvas.next")}
            onClick={() => setAt((place + 1) % files.length)}
          >
            ›
          </button>
        </div>
      )}
    </>
  );
}

function filesOf(run: NodeRun | undefined): readonly FileRef[] {
  const listed = run?.output?.["images"];
  return Array.isArray(listed) ? listed.filter(isFile) : [];
}

function isFile(value: unknown): value is FileRef {
  return (
    typeof value === "object" &&
    value !== null &&
    "filename" in value &&
    typeof value.filename === "string"
  );
}

function textsOf(run: NodeRun | undefined): readonly string[] {
  const listed = run?.output?.["text"];
  const texts = Array.isArray(listed) ? listed : listed === undefined ? [] : [listed];
  return [...texts.map(String), ...(run?.text === undefined ? [] : [run.text])];
}

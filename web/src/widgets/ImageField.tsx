/** A picture of the input folder: chosen, uploaded or dropped in; shown small; its mask painted. */

import { type DragEvent, useRef, useState } from "react";
import { uploadImage, viewUrl } from "../api/routes";
import { show } from "../canvas/view";
import { useTranslation } from "../i18n";
import type { WidgetInfo } from "../model/shape";
import { Icon } from "../panels/Icon";
import { attempt } from "../panels/notices/notices";
import { Picture } from "../panels/Picture";
import { refreshNodes } from "../state/server";
import { ChoiceField } from "./ChoiceField";
import type { FieldProps } from "./Widget";

type ImageWidget = Extract<WidgetInfo, { kind: "choice" | "model" | "image" }>;

export function ImageField(props: FieldProps<ImageWidget>) {
  const { node, name, value, set } = props;
  const { t } = useTranslation();
  const picker = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const file = typeof value === "string" ? value : "";
  const take = async (picture: File | undefined) => {
    if (picture === undefined) return;
    const stored = await attempt(uploadImage(picture));
    if (stored === undefined) return;
    set(stored, { once: true });
    await attempt(refreshNodes());
  };
  const onDrop = (event: DragEvent) => {
    setOver(false);
    const picture = [...event.dataTransfer.files].find((one) => one.type.startsWith("image/"));
    if (picture === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    void take(picture);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping has the upload button beside it.
    <div
      className="image-field nodrag"
      data-over={over || undefined}
      onDragOver={(event) => {
        event.preventDefault();
        event.stopPropagation();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={onDrop}
    >
      <div className="image-field-row">
        <ChoiceField {...props} />
        <button
          type="button"
          className="button quiet icon small"
          title={t("canvas.upload")}
          aria-label={t("canvas.upload")}
          onClick={() => picker.current?.click()}
        >
          <Icon name="upload" />
        </button>
        <button
          type="button"
          className="button quiet icon small"
          title={t("canvas.editMask")}
          aria-label={t("canvas.editMask")}
          disabled={file === ""}
          onClick={() => show({ mask: { node, input: name, file } })}
        >
          <Icon name="edit" />
        </button>
        <input
          ref={picker}
          type="file"
          accept="image/*"
          hidden
          onChange={(event) => {
            void take(event.target.files?.[0]);
            event.target.value = ""; // Else the same file, chosen again, would be no change.
          }}
        />
      </div>
      {file === "" ? (
        <p className="hint">{t("canvas.dropPicture")}</p>
      ) : (
        <Picture
          key={String(props.widget.choices.includes(file))}
          src={inputUrl(file)}
          alt={file}
          draggable={false}
          loading="lazy"
        />
      )}
    </div>
  );
}

/** The address of a file of the input folder; "name [output]" is one of another. */
export function inputUrl(file: string, whole = false): string {
  const [, path = file, type = "input"] = /^(.*?)(?: \[(input|output|temp)\])?$/.exec(file) ?? [];
  const cut = path.lastIndexOf("/");
  const reference = {
    filename: path.slice(cut + 1),
    subfolder: cut === -1 ? "" : path.slice(0, cut),
    type,
  };
  return viewUrl(reference, whole ? undefined : "webp;80");
}

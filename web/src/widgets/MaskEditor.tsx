/** Paint the mask of a picture: brush, eraser, size, clear, undo; saved into the input folder. */

import { Dialog } from "radix-ui";
import { type KeyboardEvent, type PointerEvent, useRef, useState } from "react";
import { request } from "../api/http";
import { inputName, type Stored } from "../api/routes";
import { type Mask, show, useView } from "../canvas/view";
import { shortcutOf } from "../commands/keys";
import { useTranslation } from "../i18n";
import { attempt, tell } from "../panels/notices/notices";
import { useReturnFocus } from "../panels/useReturnFocus";
import { refreshNodes } from "../state/server";
import { activeGraphId, useWorkspace } from "../state/workspace";
import { inputUrl } from "./ImageField";

const MOST_UNDONE = 20;
const PEN_ERASER = 32;

export function MaskEditor() {
  const mask = useView((view) => view.mask);
  return mask === null ? null : <Editor mask={mask} key={mask.file} />;
}

function Editor({ mask }: { readonly mask: Mask }) {
  const { t } = useTranslation();
  const picture = useRef<HTMLImageElement>(null);
  const board = useRef<HTMLCanvasElement>(null);
  const ring = useRef<HTMLSpanElement>(null);
  const last = useRef<{ x: number; y: number } | null>(null);
  const [past, setPast] = useState<readonly ImageData[]>([]);
  const [ratio, setRatio] = useState(1);
  const [erasing, setErasing] = useState(false);
  const [size, setSize] = useState(12);
  const close = () => show({ mask: null });
  const returnFocus = useReturnFocus();

  const prepare = () => {
    const image = picture.current;
    if (image === null || board.current === null) return;
    board.current.width = image.naturalWidth;
    board.current.height = image.naturalHeight;
    setRatio(image.naturalWidth / image.naturalHeight);
    showTransparent(board.current, image);
  };
  /** What is painted now, to be brought back by undo. */
  const remember = () => {
    const canvas = board.current;
    const now = canvas?.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height);
    if (now !== undefined) setPast([...past, now].slice(-MOST_UNDONE));
  };
  const undo = () => {
    const before = past.at(-1);
    if (before === undefined) return;
    board.current?.getContext("2d")?.putImageData(before, 0, 0);
    setPast(past.slice(0, -1));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (shortcutOf(event.nativeEvent) !== "Mod+Z") return;
    event.preventDefault();
    undo();
  };
  const showRing = (event: PointerEvent<HTMLCanvasElement>) => {
    if (ring.current === null) return;
    const box = event.currentTarget.getBoundingClientRect();
    ring.current.style.left = `${event.clientX - box.left}px`;
    ring.current.style.top = `${event.clientY - box.top}px`;
  };
  const stroke = (event: PointerEvent<HTMLCanvasElement>) => {
    const context = board.current?.getContext("2d");
    if (!context || event.buttons === 0) return;
    const box = event.currentTarget.getBoundingClientRect();
    const scale = event.currentTarget.width / box.width;
    const point = { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale };
    const from = last.current ?? point;
    context.globalCompositeOperation =
      erasing || (event.buttons & PEN_ERASER) !== 0 ? "destination-out" : "source-over";
    context.strokeStyle = "#f33";
    context.lineCap = "round";
    context.lineWidth = (size / 100) * event.currentTarget.width;
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(point.x + 0.01, point.y);
    context.stroke();
    last.current = point;
  };
  const clear = () => {
    const canvas = board.current;
    remember();
    canvas?.getContext("2d")?.clearRect(0, 0, canvas.width, canvas.height);
  };
  const save = async () => {
    if (board.current === null || picture.current === null) return;
    const value = await attempt(uploadMasked(mask.file, picture.current, board.current));
    if (value === undefined) return;
    const { apply } = useWorkspace.getState();
    apply({
      kind: "set-value",
      graph: activeGraphId(),
      node: mask.node,
      name: mask.input,
      value,
    });
    await attempt(refreshNodes());
    close();
  };
  return (
    <Dialog.Root open onOpenChange={(open) => open || close()}>
      <Dialog.Portal>
        <Dialog.Overlay className="veil" />
        <Dialog.Content
          className="dialog wide"
          aria-describedby={undefined}
          onCloseAutoFocus={returnFocus}
          onKeyDown={onKeyDown}
        >
          <Dialog.Title asChild>
            <h2>{t("canvas.mask.title")}</h2>
          </Dialog.Title>
          <div className="mask-tools">
            <button
              type="button"
              className="button"
              aria-pressed={!erasing}
              onClick={() => setErasing(false)}
            >
              {t("canvas.mask.brush")}
            </button>
            <button
              type="button"
              className="button"
              aria-pressed={erasing}
              onClick={() => setErasing(true)}
            >
              {t("canvas.mask.erase")}
            </button>
            <label>
              {t("canvas.mask.size")}{" "}
              <input
                type="range"
                min={1}
                max={50}
                value={size}
                onChange={(event) => setSize(Number(event.target.value))}
              />
            </label>
            <button type="button" className="button" disabled={past.length === 0} onClick={undo}>
              {t("canvas.command.undo")}
            </button>
            <button type="button" className="button" onClick={clear}>
              {t("canvas.mask.clear")}
            </button>
          </div>
          <div
            className="mask-board"
            style={{ "--ratio": ratio, "--brush": `${size}%` } as React.CSSProperties}
          >
            <img
              ref={picture}
              src={inputUrl(mask.file, true)}
              alt={mask.file}
              onLoad={prepare}
              onError={() => {
                tell(t("gallery.gone"), "bad");
                close();
              }}
            />
            <canvas
              ref={board}
              aria-label={t("canvas.mask.title")}
              onPointerDown={(event) => {
                event.currentTarget.setPointerCapture(event.pointerId);
                last.current = null;
                remember();
                stroke(event);
              }}
              onPointerMove={(event) => {
                showRing(event);
                stroke(event);
              }}
              onPointerUp={() => {
                last.current = null;
              }}
            />
            <span className="mask-brush" ref={ring} aria-hidden="true" />
          </div>
          <div className="dialog-actions">
            <Dialog.Close className="button">{t("canvas.cancel")}</Dialog.Close>
            <button type="button" className="button primary" onClick={() => void save()}>
              {t("canvas.mask.save")}
            </button>
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

/** Begin with the mask that the picture already has: where it is transparent. */
function showTransparent(board: HTMLCanvasElement, image: HTMLImageElement): void {
  const context = board.getContext("2d");
  if (context === null) return;
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, board.width, board.height);
  for (let at = 0; at < pixels.data.length; at += 4) {
    const alpha = pixels.data[at + 3] ?? 255;
    pixels.data.set([255, 51, 51, 255 - alpha], at);
  }
  context.putImageData(pixels, 0, 0);
}

/** Send the picture, transparent where it is painted; the name that it is stored under. */
async function uploadMasked(
  file: string,
  image: HTMLImageElement,
  board: HTMLCanvasElement,
): Promise<string> {
  const whole = document.createElement("canvas");
  whole.width = board.width;
  whole.height = board.height;
  const context = whole.getContext("2d");
  if (context === null) throw new Error("no canvas");
  context.drawImage(image, 0, 0);
  context.globalCompositeOperation = "destination-out";
  context.drawImage(board, 0, 0);
  const blob = await new Promise<Blob | null>((resolve) => whole.toBlob(resolve, "image/png"));
  if (blob === null) throw new Error("no picture");
  const [, path = file, type = "input"] = /^(.*?)(?: \[(input|output|temp)\])?$/.exec(file) ?? [];
  const cut = path.lastIndexOf("/");
  const reference = {
    filename: path.slice(cut + 1),
    subfolder: path.slice(0, Math.max(0, cut)),
    type,
  };
  const form = new FormData();
  const stem = reference.filename.replace(/\.\w+$/, "").replace(/-mask-\w+$/, "");
  form.append("image", blob, `${stem}-mask-${Date.now().toString(36)}.png`);
  form.append("type", "input");
  form.append("original_ref", JSON.stringify(reference));
  const stored = await request<Stored>("POST", "/upload/mask", {
    body: form,
  });
  return inputName(stored);
}

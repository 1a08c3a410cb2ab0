/** A socket: a coloured shape where links begin or end, by pointer or by keyboard. */

import { Handle, Position } from "@xyflow/react";
import type { KeyboardEvent } from "react";
import { show, useView } from "../canvas/view";
import { useTranslation } from "../i18n";
import type { NodeId } from "../model/document";
import type { LooseEnd } from "../model/edits";
import { socketLook } from "../model/sockets";

interface Props {
  readonly node: NodeId;
  readonly side: "input" | "output";
  /** An input's name, or an output's place. */
  readonly id: string;
  readonly type: string;
  readonly label: string;
  /** From the top of the node. */
  readonly y: number;
  readonly linked: boolean;
  readonly quiet?: boolean;
}

export function Socket({ node, side, id, type, label, y, linked, quiet = false }: Props) {
  const { t } = useTranslation();
  const { color, shape } = socketLook(type);
  const locked = useView((view) => view.locked);
  const end: LooseEnd =
    side === "output"
      ? { from: { node, place: Number(id) }, type }
      : { to: { node, name: id }, type };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    event.stopPropagation();
    show({ wiring: end });
  };
  return (
    <Handle
      id={id}
      type={side === "output" ? "source" : "target"}
      position={side === "output" ? Position.Right : Position.Left}
      className={`socket ${shape}`}
      style={{ top: y, "--socket": color } as React.CSSProperties}
      isConnectable={!locked}
      data-type={type}
      data-linked={linked || undefined}
      data-quiet={quiet || undefined}
      role="button"
      tabIndex={0}
      title={`${label}: ${type}`}
      aria-label={t(side === "output" ? "canvas.outputSocket" : "canvas.inputSocket", {
        label,
        type,
      })}
      onKeyDown={onKeyDown}
    />
  );
}

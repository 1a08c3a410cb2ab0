/** A link: a curve in the colour of what it carries. */

import { BaseEdge, type EdgeProps, getBezierPath } from "@xyflow/react";
import { memo } from "react";
import { socketLook } from "../model/sockets";
import type { FlowEdge } from "./flow";

export const Wire = memo(function Wire(props: EdgeProps<FlowEdge>) {
  const { id, sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition } = props;
  const [path] = getBezierPath({
    sourceX,
    sourceY,
    targetX,
    targetY,
    sourcePosition,
    targetPosition,
  });
  const { color } = socketLook(props.data?.type ?? "*");
  return (
    <BaseEdge
      id={id}
      path={path}
      interactionWidth={14}
      style={{ stroke: color, strokeWidth: props.selected ? 3.5 : 2 }}
    />
  );
});

/** The corner by which a node is resized. */

import { NodeResizeControl } from "@xyflow/react";
import type { NodeId, Size } from "../model/document";
import { activeGraphId, useWorkspace } from "../state/workspace";

export function Resizer({ node, least }: { readonly node: NodeId; readonly least: Size }) {
  return (
    <NodeResizeControl
      className="resizer nodrag"
      autoScale={false}
      minWidth={least[0]}
      minHeight={least[1]}
      onResize={(_, { width, height }) =>
        useWorkspace.getState().apply(
          {
            kind: "resize",
            graph: activeGraphId(),
            node,
            size: [Math.round(width), Math.round(height)],
          },
          { group: `resize ${node}` },
        )
      }
    />
  );
}

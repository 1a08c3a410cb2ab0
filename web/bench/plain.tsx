/** The bench's scene on React Flow as it comes: one React component a node, everything mounted. */

import {
  type Edge,
  Handle,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
  useEdgesState,
  useNodesState,
} from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { createRoot } from "react-dom/client";

interface Scene {
  readonly nodes: readonly { id: string; type: string; position: readonly [number, number] }[];
  readonly links: readonly {
    id: string;
    from: readonly [string, number];
    to: readonly [string, number];
  }[];
}

const INPUTS = ["model", "positive", "negative", "latent_image"];
const NUMBERS = ["seed", "steps", "cfg", "denoise"];
const NODE_TYPES = { sampler: SamplerNode, text: TextNode };

function SamplerNode({ id }: NodeProps) {
  return (
    <div className="plain">
      <strong>KSampler {id}</strong>
      {INPUTS.map((name, at) => (
        <Handle
          key={name}
          id={`in${at}`}
          type="target"
          position={Position.Left}
          style={{ top: 30 + at * 20 }}
        />
      ))}
      <Handle id="out0" type="source" position={Position.Right} />
      {NUMBERS.map((name) => (
        <label key={name}>
          {name} <input type="number" defaultValue={20} />
        </label>
      ))}
      <label>
        sampler
        <select>
          <option>euler</option>
          <option>ddim</option>
        </select>
      </label>
    </div>
  );
}

function TextNode({ id }: NodeProps) {
  return (
    <div className="plain">
      <strong>Text encode {id}</strong>
      <Handle id="in0" type="target" position={Position.Left} />
      <Handle id="out0" type="source" position={Position.Right} />
      <textarea defaultValue="a red heart" />
    </div>
  );
}

function Plain({ scene }: { readonly scene: Scene }) {
  const [nodes, , onNodesChange] = useNodesState<Node>(
    scene.nodes.map((node) => ({
      id: node.id,
      type: node.type === "KSampler" ? "sampler" : "text",
      position: { x: node.position[0], y: node.position[1] },
      data: {},
    })),
  );
  const [edges, , onEdgesChange] = useEdgesState<Edge>(
    scene.links.map((link) => ({
      id: link.id,
      source: link.from[0],
      sourceHandle: `out${link.from[1]}`,
      target: link.to[0],
      targetHandle: `in${link.to[1]}`,
    })),
  );
  return (
    <ReactFlow
      nodes={nodes}
      edges={edges}
      nodeTypes={NODE_TYPES}
      onNodesChange={onNodesChange}
      onEdgesChange={onEdgesChange}
      minZoom={0.01}
      panOnDrag={[0, 1]}
      fitView
    />
  );
}

/** The driver calls it with the scene. */
function show(scene: Scene) {
  const root = document.getElementById("root");
  if (root !== null) createRoot(root).render(<Plain scene={scene} />);
}

Object.assign(window, { show });

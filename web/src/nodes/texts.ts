/** What nodes and their inputs are called, in the person's language. */

import { type Language, useTranslation } from "../i18n";
import type { GraphNode, Workflow } from "../model/document";
import type { InputShape, NodeShape } from "../model/shape";
import type { NodeInfo } from "../protocol/generated";

export function useLanguage(): Language {
  return useTranslation().language;
}

export function typeTitle(info: NodeInfo, language: Language): string {
  return info.texts[language].title || info.texts.en.title || info.id;
}

export function nodeTitle(
  node: GraphNode,
  shape: NodeShape | undefined,
  workflow: Workflow | undefined,
  language: Language,
): string {
  if (node.title) return node.title;
  const subgraph = workflow?.subgraphs.get(node.type);
  if (subgraph !== undefined) return subgraph.name || node.type;
  return shape?.info == null ? node.type : typeTitle(shape.info, language);
}

/** An input's name for reading: "ckpt_name" → "ckpt name". */
export function inputLabel(input: Pick<InputShape, "name" | "label">): string {
  return input.label ?? input.name.replaceAll("_", " ");
}

export function inputHelp(shape: NodeShape, name: string, language: Language): string {
  const texts = shape.info?.texts;
  return texts?.[language].inputs[name] || texts?.en.inputs[name] || "";
}

/** The first thing to see where nothing was open before: the starter workflow. */

import * as routes from "../api/routes";
import { language } from "../i18n";
import { EMPTY_WORKFLOW } from "../model/document";
import type { JsonObject } from "../model/json";
import { parseNative } from "../model/native";
import { useWorkspace } from "./workspace";

const STARTER = "text_to_image";

export async function openFirst(untitled: string): Promise<void> {
  try {
    const { document, name } = await routes.getTemplate(STARTER, language());
    useWorkspace.getState().open(parseNative(document as unknown as JsonObject), name);
  } catch {
    useWorkspace.getState().open(EMPTY_WORKFLOW, untitled);
  }
}

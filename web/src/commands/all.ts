/** Every command, one line an area. */

import { canvasCommands } from "../canvas/commands";
import { panelCommands } from "../panels/commands";
import { tabCommands } from "../tabs/commands";
import type { Command } from "./command";

export const allCommands: readonly Command[] = [
  ...tabCommands,
  ...canvasCommands,
  ...panelCommands,
];

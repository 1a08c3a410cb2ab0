/** Every command, one line an area. */

import type { Command } from "./command";

export const allCommands: readonly Command[] = [];

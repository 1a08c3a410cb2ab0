/** Everything around the canvas. */

import "./styles";

export { panelCommands, run } from "./commands";
export { SidePanel } from "./eight/SidePanel";
export { LeftPanels } from "./LeftPanels";
export { ConnectionNotice } from "./notices/ConnectionNotice";
export { FirstHint } from "./notices/FirstHint";
export { Overlays } from "./Overlays";

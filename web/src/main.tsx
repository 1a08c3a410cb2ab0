import "./theme/theme.css";
import i18next from "i18next";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { startI18n } from "./i18n";
import { startDrafts } from "./state/drafts";
import { openFirst } from "./state/opening";
import { startSession } from "./state/session";
import { startTheme } from "./theme/theme";

async function start(root: HTMLElement): Promise<void> {
  startTheme();
  await startI18n();
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
  const session = startSession();
  await openFirst(i18next.t("tabs.untitled"));
  startDrafts();
  await session;
}

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
void start(root);

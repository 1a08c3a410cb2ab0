import "./theme/theme.css";
import i18next from "i18next";
import { lazy, StrictMode, Suspense } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { startI18n } from "./i18n";
import { later, loadParts } from "./later";
import { showMotion } from "./panels/preferences/preferences";
import { startDrafts } from "./state/drafts";
import { openFirst } from "./state/opening";
import { startSession } from "./state/session";
import { startTheme } from "./theme/theme";

const PanelPage = lazy(() => import("./panels/phone/PanelPage"));
const pluginWatch = later(() => import("./panels/plugins/watch"));

async function start(root: HTMLElement): Promise<void> {
  startTheme();
  showMotion();
  await startI18n();
  const alone = location.pathname === "/panel";
  createRoot(root).render(
    <StrictMode>
      {alone ? (
        <Suspense>
          <PanelPage />
        </Suspense>
      ) : (
        <App />
      )}
    </StrictMode>,
  );
  const session = startSession();
  if (!alone) {
    await startDrafts(() => openFirst(i18next.t("tabs.untitled")));
    void pluginWatch().then((plugins) => plugins.watchPlugins());
    void loadParts();
  }
  await session;
}

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
void start(root);

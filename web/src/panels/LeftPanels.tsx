import { lazy, Suspense } from "react";
import { useTranslation } from "../i18n";
import { later } from "../later";
import { useServer } from "../state/server";
import { useWorkspace } from "../state/workspace";
import { Icon, type IconName } from "./Icon";
import { LEFT_PANELS, type LeftPanel, usePanels } from "./open";
import { ProblemsPanel } from "./problems/ProblemsPanel";
import { QueuePanel } from "./queue/QueuePanel";

const GalleryPanel = lazy(later(() => import("./gallery/GalleryPanel")));
const PluginsPanel = lazy(later(() => import("./plugins/PluginsPanel")));
const WorkflowsPanel = lazy(later(() => import("./workflows/WorkflowsPanel")));

/** The rail of icons at the left edge, and the panel that is open beside it. */
export function LeftPanels() {
  const { t } = useTranslation();
  const left = usePanels((state) => state.left);
  const show = usePanels((state) => state.show);
  return (
    <div className="left-panels">
      <nav className="rail" aria-label={t("panels.rail")}>
        <RailButton
          icon="templates"
          label={t("templates.title")}
          onClick={() => show({ kind: "templates" })}
        />
        {LEFT_PANELS.map((panel) => (
          <PanelButton key={panel} panel={panel} />
        ))}
        <span className="rail-space" />
        <RailButton
          icon="palette"
          label={t("palette.title")}
          onClick={() => show({ kind: "palette" })}
        />
        <RailButton
          icon="preferences"
          label={t("preferences.title")}
          onClick={() => show({ kind: "preferences" })}
        />
      </nav>
      {left === null ? null : (
        <section className="left-panel" aria-label={t(`${left}.title`)}>
          <Suspense fallback={<p className="panel-empty">{t("panels.loading")}</p>}>
            <Panel panel={left} />
          </Suspense>
        </section>
      )}
    </div>
  );
}

function Panel({ panel }: { readonly panel: LeftPanel }) {
  switch (panel) {
    case "workflows":
      return <WorkflowsPanel />;
    case "queue":
      return <QueuePanel />;
    case "gallery":
      return <GalleryPanel />;
    case "problems":
      return <ProblemsPanel />;
    case "plugins":
      return <PluginsPanel />;
  }
}

function PanelButton({ panel }: { readonly panel: LeftPanel }) {
  const { t } = useTranslation();
  const open = usePanels((state) => state.left === panel);
  const toggle = usePanels((state) => state.toggleLeft);
  const count = useCount(panel);
  const label = count === 0 ? t(`${panel}.title`) : `${t(`${panel}.title`)} (${count})`;
  return (
    <RailButton
      icon={panel}
      label={label}
      open={open}
      count={count}
      bad={panel === "problems"}
      onClick={() => toggle(panel)}
    />
  );
}

/** What a panel has to show that wants attention. */
function useCount(panel: LeftPanel): number {
  const tab = useWorkspace((state) => state.active);
  return useServer((state) => {
    if (panel === "queue") return state.queue.running.length + state.queue.queued.length;
    return panel === "problems" ? (state.problems.get(tab)?.length ?? 0) : 0;
  });
}

interface RailProps {
  readonly icon: IconName;
  readonly label: string;
  readonly open?: boolean;
  readonly count?: number;
  readonly bad?: boolean;
  readonly onClick: () => void;
}

function RailButton({ icon, label, open, count = 0, bad = false, onClick }: RailProps) {
  return (
    <button
      type="button"
      className="rail-button"
      aria-label={label}
      title={label}
      aria-expanded={open}
      onClick={onClick}
    >
      <Icon name={icon} />
      {count === 0 ? null : (
        <span
          className={bad ? "rail-count bad" : "rail-count"}
          data-count={count > 99 ? "99+" : count}
          aria-hidden="true"
        />
      )}
    </button>
  );
}

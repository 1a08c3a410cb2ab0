import { useEffect, useMemo, useState } from "react";
import { getFilmstrip, viewUrl } from "../../api/routes";
import { useTranslation } from "../../i18n";
import { type JsonObject, writeJson } from "../../model/json";
import type { JobAnswer, StepAnswer } from "../../protocol/generated";
import { useServer } from "../../state/server";
import { Icon } from "../Icon";
import { usePanels } from "../open";
import { PanelDialog } from "../PanelDialog";
import { Picture as Shown, Thumb } from "../Picture";
import { forget, openWorkflow } from "../queue/actions";
import { duration, titleOf } from "../queue/queue";
import { Compare } from "./Compare";
import { allPictures, documentOf, everything, type Picture, settingsOf } from "./pictures";

/** One picture, large, with all that it was made with; beside another one, if that is wanted. */
export default function PictureDialog({ picture: id }: { readonly picture: string }) {
  const { t } = useTranslation();
  const jobs = useServer((state) => state.jobs);
  const pictures = useMemo(() => allPictures(jobs.values()), [jobs]);
  const [shown, setShown] = useState(id);
  const [other, setOther] = useState<string | null>(null);
  const close = usePanels((state) => state.close);
  const at = Math.max(
    pictures.findIndex((one) => one.id === shown || one.again.includes(shown)),
    0,
  );
  const picture = pictures[at];
  const compared = pictures.find((one) => one.id === other);
  useEffect(() => {
    if (picture === undefined) close();
  }, [picture, close]);
  useEffect(() => {
    const turn = (event: KeyboardEvent) => {
      if (event.target instanceof HTMLInputElement || event.isComposing) return;
      const by = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
      const next = by === 0 ? undefined : pictures[at + by];
      if (next !== undefined) setShown(next.id);
    };
    window.addEventListener("keydown", turn);
    return () => window.removeEventListener("keydown", turn);
  }, [at, pictures]);
  const job = picture === undefined ? undefined : jobs.get(picture.job);
  if (picture === undefined || job === undefined) return null;
  return (
    <PanelDialog title={titleOf(job)} className="picture-dialog">
      <div className="picture-body">
        <div className="picture-stage">
          {compared === undefined ? (
            <Shown className="big-picture" src={viewUrl(picture.file)} alt={titleOf(job)} />
          ) : (
            <Compare first={viewUrl(picture.file)} second={viewUrl(compared.file)} />
          )}
          <div className="picture-actions">
            <Step to={pictures[at - 1]} icon="left" label={t("gallery.newer")} show={setShown} />
            <Step
              to={pictures[at + 1]}
              icon="right"
              label={t("gallery.olderPicture")}
              show={setShown}
            />
            <CompareChoice pictures={pictures} shown={picture} chosen={other} choose={setOther} />
            <button type="button" className="button" onClick={() => openWorkflow(job).then(close)}>
              <Icon name="open" />
              {t("gallery.openWorkflow")}
            </button>
            <a className="button" href={viewUrl(picture.file)} download={picture.file.filename}>
              <Icon name="download" />
              {t("gallery.download")}
            </a>
            <button type="button" className="button danger" onClick={() => forget(job.id)}>
              <Icon name="trash" />
              {t("gallery.forget")}
            </button>
          </div>
          <Filmstrip job={job.id} />
        </div>
        <Made job={job} picture={picture} />
      </div>
    </PanelDialog>
  );
}

interface StepProps {
  readonly to: Picture | undefined;
  readonly icon: "left" | "right";
  readonly label: string;
  readonly show: (id: string) => void;
}

function Step({ to, icon, label, show }: StepProps) {
  return (
    <button
      type="button"
      className="button icon"
      aria-label={label}
      title={label}
      disabled={to === undefined}
      onClick={() => to && show(to.id)}
    >
      <Icon name={icon} />
    </button>
  );
}

interface CompareProps {
  readonly pictures: readonly Picture[];
  readonly shown: Picture;
  readonly chosen: string | null;
  readonly choose: (id: string | null) => void;
}

const MOST_CHOICES = 60;

function CompareChoice({ pictures, shown, chosen, choose }: CompareProps) {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  const others = pictures.filter((one) => one.id !== shown.id).slice(0, MOST_CHOICES);
  return (
    <>
      <button
        type="button"
        className="button"
        aria-expanded={open}
        disabled={others.length === 0}
        onClick={() => {
          setOpen(!open);
          if (open) choose(null);
        }}
      >
        <Icon name="compare" />
        {t("gallery.compare")}
      </button>
      {open ? (
        <ul className="compare-choices" aria-label={t("gallery.compareWith")}>
          {others.map((one, at) => (
            <li key={one.id}>
              <button
                type="button"
                className="thumb-button"
                aria-pressed={one.id === chosen}
                aria-label={t("gallery.compareWithNumber", { number: at + 1 })}
                onClick={() => choose(one.id)}
              >
                <Thumb file={one.file} />
              </button>
            </li>
          ))}
        </ul>
      ) : null}
    </>
  );
}

/** What was seen of the picture on the way, as the server kept it. */
function Filmstrip({ job }: { readonly job: string }) {
  const { t } = useTranslation();
  const [steps, setSteps] = useState<readonly StepAnswer[]>([]);
  useEffect(() => {
    let wanted = true;
    setSteps([]);
    getFilmstrip(job).then(
      (found) => wanted && setSteps(found.steps),
      () => {}, // The picture is worth showing without its strip.
    );
    return () => {
      wanted = false;
    };
  }, [job]);
  if (steps.length === 0) return null;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a strip that scrolls must be reachable by keyboard
    <ol className="filmstrip" aria-label={t("gallery.filmstrip")} tabIndex={0}>
      {steps.map(({ node_id, step, picture }) => (
        <li key={`${node_id}/${step}`}>
          <Shown src={picture} alt={t("gallery.step", { step })} />
          <span className="hint" aria-hidden="true">
            {step}
          </span>
        </li>
      ))}
    </ol>
  );
}

function Made({ job, picture }: { readonly job: JobAnswer; readonly picture: Picture }) {
  const { t, language } = useTranslation();
  const nodes = useServer((state) => state.nodes);
  const workflow = useMemo(() => documentOf(job.prompt as JsonObject, nodes), [job.prompt, nodes]);
  const settings = useMemo(() => settingsOf(workflow, picture.node), [workflow, picture.node]);
  const date = new Date((job.finished ?? job.created) * 1000);
  return (
    <aside className="picture-settings" aria-label={t("gallery.settings")}>
      <dl>
        {settings.map(([name, value]) => (
          <div key={name}>
            <dt>{t(`eight.${name}.name`)}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        <div>
          <dt>{t("gallery.made")}</dt>
          <dd>
            {date.toLocaleString(language)}
            {job.seconds === null ? "" : ` · ${duration(job.seconds, t("queue.seconds"))}`}
          </dd>
        </div>
        <div>
          <dt>{t("gallery.file")}</dt>
          <dd>{picture.file.filename}</dd>
        </div>
      </dl>
      <details>
        <summary>{t("gallery.everything")}</summary>
        <dl>
          {everything(workflow).map(([node, values]) => (
            <div key={node}>
              <dt>{node}</dt>
              {Object.entries(values).map(([name, value]) => (
                <dd key={name}>
                  {name}: {typeof value === "object" ? writeJson(value) : String(value)}
                </dd>
              ))}
            </div>
          ))}
        </dl>
      </details>
    </aside>
  );
}

import { useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "../../i18n";
import type { JobAnswer } from "../../protocol/generated";
import { progressOf, secondsLeft } from "../../state/runs";
import { useServer } from "../../state/server";
import { picturesOf } from "../gallery/pictures";
import { Icon, type IconName } from "../Icon";
import { usePanels } from "../open";
import { Thumb } from "../Picture";
import { Rows } from "../Rows";
import {
  cancel,
  clear,
  edit,
  forget,
  moveBy,
  moveTo,
  openWorkflow,
  retry,
  setPaused,
} from "./actions";
import { duration, endedJobs, titleOf, unended } from "./queue";

const ROW_PX = 58;

export function QueuePanel() {
  const { t } = useTranslation();
  const queue = useServer((state) => state.queue);
  const jobs = useServer((state) => state.jobs);
  const [dragged, setDragged] = useState<string | null>(null);
  const rows = useMemo(() => [...unended(queue, jobs), ...endedJobs(jobs)], [queue, jobs]);
  const waiting = queue.queued.length;
  return (
    <>
      <header className="panel-head">
        <h2>{t("queue.title")}</h2>
        <span className="panel-actions">
          <button
            type="button"
            className="button"
            aria-pressed={queue.paused}
            onClick={() => setPaused(!queue.paused)}
          >
            <Icon name={queue.paused ? "play" : "pause"} />
            {t(queue.paused ? "queue.resume" : "queue.pause")}
          </button>
          <button type="button" className="button" disabled={waiting === 0} onClick={clear}>
            {t("queue.clear")}
          </button>
        </span>
      </header>
      <p className="panel-note" aria-live="polite">
        {t("queue.summary", { running: queue.running.length, waiting })}
        {queue.paused ? ` · ${t("queue.paused")}` : ""}
      </p>
      {rows.length === 0 ? (
        <p className="panel-empty">{t("queue.empty")}</p>
      ) : (
        <Rows items={rows} rowPx={ROW_PX} label={t("queue.title")} keyOf={(job) => job.id}>
          {(job) => <JobRow job={job} dragged={dragged} onDrag={setDragged} />}
        </Rows>
      )}
    </>
  );
}

interface RowProps {
  readonly job: JobAnswer;
  readonly dragged: string | null;
  readonly onDrag: (job: string | null) => void;
}

function JobRow({ job, dragged, onDrag }: RowProps) {
  const { t } = useTranslation();
  const place = useServer((state) => state.queue.queued.indexOf(job.id));
  const [over, setOver] = useState(false);
  const waiting = job.state === "queued";
  const drop = () => {
    setOver(false);
    onDrag(null);
    if (dragged !== null && waiting) void moveTo(dragged, place);
  };
  const onKey = (event: React.KeyboardEvent) => {
    const by = event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : 0;
    if (!event.altKey || by === 0 || !waiting) return;
    event.preventDefault();
    event.stopPropagation();
    void moveBy(job.id, by);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the row is a drop target; its buttons do the same by keyboard
    <div
      className={`job-row ${job.state} ${over ? "drop-here" : ""}`}
      draggable={waiting}
      onDragStart={(event) => {
        event.dataTransfer.setData("text/plain", job.id);
        onDrag(job.id);
      }}
      onDragEnd={() => onDrag(null)}
      onDragOver={(event) => {
        if (dragged === null || !waiting) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
      onKeyDown={onKey}
    >
      <Thumbnail job={job} />
      <div className="job-text">
        <p className="job-title" title={titleOf(job)}>
          {titleOf(job)}
        </p>
        {job.state === "running" ? (
          <Progress job={job.id} />
        ) : (
          <p className="hint">
            {waiting ? t("queue.place", { place: place + 1 }) : <State job={job} />}
          </p>
        )}
      </div>
      <span className="job-actions">
        {waiting ? (
          <>
            <Action icon="up" label={t("queue.earlier")} onClick={() => moveBy(job.id, -1)} />
            <Action icon="down" label={t("queue.later")} onClick={() => moveBy(job.id, 1)} />
            <Action icon="edit" label={t("queue.edit")} onClick={() => edit(job)} />
          </>
        ) : null}
        {waiting || job.state === "running" ? (
          <Action icon="close" label={t("queue.cancel")} onClick={() => cancel(job.id)} />
        ) : (
          <>
            <Action icon="open" label={t("queue.openWorkflow")} onClick={() => openWorkflow(job)} />
            <Action icon="retry" label={t("queue.retry")} onClick={() => retry(job)} />
            <Action icon="trash" label={t("queue.forget")} onClick={() => forget(job.id)} />
          </>
        )}
      </span>
    </div>
  );
}

function State({ job }: { readonly job: JobAnswer }) {
  const { t, language } = useTranslation();
  const message = job.error?.message[language];
  if (job.state === "failed") {
    return (
      <span className="bad-text" title={message}>
        {message ?? t("queue.failed")}
      </span>
    );
  }
  const took = job.seconds === null ? "" : ` · ${duration(job.seconds, t("queue.seconds"))}`;
  const saved =
    job.cached.length === 0 ? "" : ` · ${t("queue.cached", { number: job.cached.length })}`;
  return `${t(`queue.state.${job.state}`)}${took}${saved}`;
}

function Thumbnail({ job }: { readonly job: JobAnswer }) {
  const { t } = useTranslation();
  const show = usePanels((state) => state.show);
  const [picture] = picturesOf(job);
  const preview = useServer((state) => state.runs.get(job.id)?.preview);
  if (picture === undefined) {
    return preview == null || job.state !== "running" ? (
      <span className={`thumb empty ${job.state}`} aria-hidden="true" />
    ) : (
      <img className="thumb" src={preview} alt="" />
    );
  }
  return (
    <button
      type="button"
      className="thumb-button"
      aria-label={t("gallery.show")}
      onClick={() => show({ kind: "picture", picture: picture.id })}
    >
      <Thumb file={picture.file} />
    </button>
  );
}

/** How far the running job is, and how long the rest takes; a screen reader hears it now and then. */
export function Progress({ job }: { readonly job: string }) {
  const { t } = useTranslation();
  const run = useServer((state) => state.runs.get(job));
  const now = useNow(run?.status === "running");
  const share = run === undefined ? null : progressOf(run);
  const left = run === undefined ? null : secondsLeft(run, now);
  const percent = share === null ? null : Math.round(share * 100);
  return (
    <div className="progress-line">
      <div
        className="progress"
        role="progressbar"
        aria-label={t("queue.progress")}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent ?? undefined}
      >
        <span
          className={percent === null ? "progress-bar unknown" : "progress-bar"}
          style={percent === null ? {} : { width: `${percent}%` }}
        />
      </div>
      <span className="hint">
        {left === null
          ? t("queue.state.running")
          : t("queue.left", { time: duration(left, t("queue.seconds")) })}
      </span>
    </div>
  );
}

function useNow(running: boolean): number {
  const [now, setNow] = useState(Date.now);
  const timer = useRef<ReturnType<typeof setInterval>>(undefined);
  useEffect(() => {
    if (running) timer.current = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer.current);
  }, [running]);
  return now;
}

interface ActionProps {
  readonly icon: IconName;
  readonly label: string;
  readonly onClick: () => unknown;
}

export function Action({ icon, label, onClick }: ActionProps) {
  return (
    <button
      type="button"
      className="button quiet icon"
      aria-label={label}
      title={label}
      onClick={() => void onClick()}
    >
      <Icon name={icon} />
    </button>
  );
}

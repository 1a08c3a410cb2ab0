import { useMemo, useState } from "react";
import { viewUrl } from "../../api/routes";
import { useTranslation } from "../../i18n";
import { loadOlder, useServer } from "../../state/server";
import { Icon } from "../Icon";
import { attempt } from "../notices/notices";
import { usePanels } from "../open";
import { Picture as Shown } from "../Picture";
import { titleOf } from "../queue/queue";
import { Rows } from "../Rows";
import { allPictures, matches, type Picture } from "./pictures";

const COLUMNS = 3;
const ROW_PX = 104;

export default function GalleryPanel() {
  const { t } = useTranslation();
  const jobs = useServer((state) => state.jobs);
  const [wanted, setWanted] = useState("");
  const [more, setMore] = useState(true);
  const pictures = useMemo(() => {
    const all = allPictures(jobs.values());
    return all.filter((picture) => {
      const job = jobs.get(picture.job);
      return job !== undefined && matches(job, picture, wanted);
    });
  }, [jobs, wanted]);
  const rows = useMemo(() => inRows(pictures), [pictures]);
  const older = async () => {
    if (more) setMore((await attempt(loadOlder())) ?? false);
  };
  return (
    <>
      <header className="panel-head">
        <h2>{t("gallery.title")}</h2>
        <span className="hint">{t("gallery.count", { number: pictures.length })}</span>
      </header>
      <label className="search-field">
        <Icon name="search" />
        <span className="visually-hidden">{t("gallery.search")}</span>
        <input
          type="search"
          className="field"
          placeholder={t("gallery.search")}
          value={wanted}
          onChange={(event) => setWanted(event.target.value)}
        />
      </label>
      {rows.length === 0 ? (
        <p className="panel-empty">{t(wanted === "" ? "gallery.empty" : "gallery.nothingFound")}</p>
      ) : (
        <Rows
          items={rows}
          rowPx={ROW_PX}
          label={t("gallery.title")}
          keyOf={(row) => row[0]?.id ?? ""}
          onEnd={older}
        >
          {(row) => (
            <div className="gallery-row">
              {row.map((picture) => (
                <Tile key={picture.id} picture={picture} />
              ))}
            </div>
          )}
        </Rows>
      )}
      {more ? (
        <button type="button" className="button" onClick={older}>
          {t("gallery.older")}
        </button>
      ) : null}
    </>
  );
}

function Tile({ picture }: { readonly picture: Picture }) {
  const { t } = useTranslation();
  const show = usePanels((state) => state.show);
  const title = useServer((state) => {
    const job = state.jobs.get(picture.job);
    return job === undefined ? "" : titleOf(job);
  });
  return (
    <button
      type="button"
      className="tile"
      title={title}
      onClick={() => show({ kind: "picture", picture: picture.id })}
    >
      <Shown
        src={viewUrl(picture.file, "webp;80")}
        alt={t("gallery.showNamed", { name: title })}
        loading="lazy"
        draggable={false}
      />
    </button>
  );
}

function inRows(pictures: readonly Picture[]): readonly (readonly Picture[])[] {
  const rows: Picture[][] = [];
  for (let at = 0; at < pictures.length; at += COLUMNS) rows.push(pictures.slice(at, at + COLUMNS));
  return rows;
}

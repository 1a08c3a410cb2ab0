import { useState } from "react";
import { useTranslation } from "../../i18n";
import { Picture } from "../Picture";

interface Props {
  readonly first: string;
  readonly second: string;
}

/** Two pictures over each other, and a slider for how much of each is seen. */
export function Compare({ first, second }: Props) {
  const { t } = useTranslation();
  const [share, setShare] = useState(50);
  return (
    <div className="compare">
      <Picture className="big-picture" src={first} alt={t("gallery.first")} />
      <Picture
        className="big-picture over"
        src={second}
        alt={t("gallery.second")}
        style={{ clipPath: `inset(0 0 0 ${share}%)` }}
      />
      <span className="compare-line" style={{ left: `${share}%` }} aria-hidden="true" />
      <input
        type="range"
        className="compare-slider"
        min={0}
        max={100}
        value={share}
        aria-label={t("gallery.slider")}
        onChange={(event) => setShare(Number(event.target.value))}
      />
    </div>
  );
}

import { useEffect, useState } from "react";
import { useTranslation } from "../../i18n";
import { useServer } from "../../state/server";

const PATIENCE_MS = 600;

/** Says that the server is away, until it is back; a blink of the connection says nothing. */
export function ConnectionNotice() {
  const { t } = useTranslation();
  const connection = useServer((state) => state.connection);
  const [late, setLate] = useState(false);
  useEffect(() => {
    setLate(false);
    if (connection === "open") return;
    const timer = setTimeout(() => setLate(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [connection]);
  return (
    <div className="connection" role="status">
      {late && connection !== "open" ? (
        <p className="connection-notice">
          <span className="spinner" aria-hidden="true" />
          {t(connection === "lost" ? "panels.serverAway" : "panels.connecting")}
        </p>
      ) : null}
    </div>
  );
}

import { useTranslation } from "../../i18n";
import { Icon } from "../Icon";
import { dismiss, useNotices } from "./notices";

export function Notices() {
  const { t } = useTranslation();
  const notices = useNotices((state) => state.notices);
  return (
    <section className="messages" aria-live="polite" aria-label={t("panels.notices")}>
      {notices.map((notice) => (
        <div key={notice.id} className={`message floating ${notice.tone}`}>
          <p>{notice.text}</p>
          {notice.action === undefined ? null : (
            <button
              type="button"
              className="button"
              onClick={() => {
                notice.action?.run();
                dismiss(notice.id);
              }}
            >
              {notice.action.text}
            </button>
          )}
          <button
            type="button"
            className="button quiet icon"
            aria-label={t("panels.dismiss")}
            onClick={() => dismiss(notice.id)}
          >
            <Icon name="close" />
          </button>
        </div>
      ))}
    </section>
  );
}

import { useState } from "react";
import { useTranslation } from "../../i18n";
import { usePanels } from "../open";
import { PanelDialog } from "../PanelDialog";
import { openUrl } from "./opening";

/** Asks for the address of a workflow or picture; what a link of another page wants is asked too. */
export default function AddressDialog({ address }: { readonly address: string }) {
  const { t } = useTranslation();
  const close = usePanels((state) => state.close);
  const [typed, setTyped] = useState(address);
  const [busy, setBusy] = useState(false);
  const open = async (event: React.FormEvent) => {
    event.preventDefault();
    setBusy(true);
    const opened = await openUrl(typed.trim());
    setBusy(false);
    const { dialog } = usePanels.getState();
    if (opened !== undefined && dialog?.kind === "address") close();
  };
  return (
    <PanelDialog title={t("opening.addressTitle")}>
      <form className="address-form" onSubmit={open}>
        <label className="prompt-field">
          <span>{t("opening.address")}</span>
          <input
            className="field"
            type="url"
            required
            placeholder="https://"
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
        </label>
        <p className="hint">{t("opening.addressHint")}</p>
        <div className="dialog-actions">
          <button type="button" className="button" onClick={close}>
            {t("opening.addressCancel")}
          </button>
          <button type="submit" className="button primary" disabled={busy || typed.trim() === ""}>
            {t("opening.addressOpen")}
          </button>
        </div>
      </form>
    </PanelDialog>
  );
}

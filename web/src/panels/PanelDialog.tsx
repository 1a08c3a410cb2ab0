import { Dialog } from "radix-ui";
import type { ReactNode } from "react";
import { useTranslation } from "../i18n";
import { Icon } from "./Icon";
import { usePanels } from "./open";
import { useReturnFocus } from "./useReturnFocus";

interface Props {
  readonly title: string;
  readonly className?: string;
  readonly children: ReactNode;
}

/** A dialog over everything; Escape and a click beside it close it. */
export function PanelDialog({ title, className = "", children }: Props) {
  const { t } = useTranslation();
  const close = usePanels((state) => state.close);
  const returnFocus = useReturnFocus();
  return (
    <Dialog.Root open onOpenChange={(open) => open || close()}>
      <Dialog.Portal>
        <Dialog.Overlay className="veil" />
        <Dialog.Content
          className={`dialog ${className}`}
          aria-describedby={undefined}
          onCloseAutoFocus={returnFocus}
        >
          <header className="dialog-head">
            <Dialog.Title>{title}</Dialog.Title>
            <Dialog.Close className="button quiet icon" aria-label={t("panels.close")}>
              <Icon name="close" />
            </Dialog.Close>
          </header>
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

import i18next from "i18next";
import { lazy, Suspense, useEffect } from "react";
import { later } from "../later";
import type { Run } from "../state/runs";
import { useWorkspace } from "../state/workspace";
import { tellFailures } from "./notices/failures";
import { Notices } from "./notices/Notices";
import type { NoticeAction } from "./notices/notices";
import { RunAnnouncer } from "./notices/RunAnnouncer";
import { type DialogShown, usePanels } from "./open";
import { DropTarget, openFromAddress } from "./opening/DropTarget";
import { goToInput } from "./problems/goTo";

const PaletteDialog = lazy(later(() => import("./palette/PaletteDialog")));
const PreferencesDialog = lazy(later(() => import("./preferences/PreferencesDialog")));
const TemplatesDialog = lazy(later(() => import("./templates/TemplatesDialog")));
const PictureDialog = lazy(later(() => import("./gallery/PictureDialog")));
const MissingDialog = lazy(later(() => import("./opening/MissingDialog")));
const AddressDialog = lazy(later(() => import("./opening/AddressDialog")));
const HelpDialog = lazy(later(() => import("./help/HelpDialog")));

/** Everything that lies over the canvas: dialogs, messages, what takes what is dropped. */
export function Overlays() {
  const dialog = usePanels((state) => state.dialog);
  useEffect(openFromAddress, []);
  useEffect(() => tellFailures(toItsCause), []);
  return (
    <>
      <Suspense fallback={null}>{dialog === null ? null : <Shown dialog={dialog} />}</Suspense>
      <DropTarget />
      <RunAnnouncer />
      <Notices />
    </>
  );
}

/** The list of problems, and the node that failed. */
function toItsCause(run: Run): NoticeAction {
  return {
    text: i18next.t("panels.showFailure"),
    run: () => {
      useWorkspace.getState().activate(run.tab);
      usePanels.getState().showLeft("problems");
      goToInput(run.error?.node ?? null, null);
    },
  };
}

function Shown({ dialog }: { readonly dialog: DialogShown }) {
  switch (dialog.kind) {
    case "palette":
      return <PaletteDialog />;
    case "preferences":
      return <PreferencesDialog {...(dialog.page === undefined ? {} : { page: dialog.page })} />;
    case "templates":
      return <TemplatesDialog />;
    case "picture":
      return <PictureDialog key={dialog.picture} picture={dialog.picture} />;
    case "missing":
      return <MissingDialog tab={dialog.tab} opened={dialog.opened} />;
    case "address":
      return <AddressDialog address={dialog.address} />;
    case "help":
      return <HelpDialog type={dialog.type} />;
  }
}

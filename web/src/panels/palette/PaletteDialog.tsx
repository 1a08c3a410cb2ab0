import { Command } from "cmdk";
import i18next from "i18next";
import { Dialog } from "radix-ui";
import { useMemo, useRef } from "react";
import { allCommands } from "../../commands/all";
import { type Category, isEnabled, type Command as OurCommand } from "../../commands/command";
import { keysOf, shortcutText, useKeymap } from "../../commands/keys";
import { useTranslation } from "../../i18n";
import { usePanels } from "../open";
import { useReturnFocus } from "../useReturnFocus";

const CATEGORIES: readonly Category[] = ["run", "file", "edit", "node", "graph", "view", "help"];

/** Everything that can be done, found by typing a part of its name. */
export default function PaletteDialog() {
  const { t } = useTranslation();
  const close = usePanels((state) => state.close);
  const chosen = useKeymap((state) => state.chosen);
  const english = useMemo(() => i18next.getFixedT("en"), []);
  const returnFocus = useReturnFocus();
  const called = useRef<OurCommand>(null);
  // The command runs where the focus was before, and may then take it.
  const onClosed = (event: Event) => {
    returnFocus(event);
    void called.current?.run();
  };
  return (
    <Dialog.Root open onOpenChange={(open) => open || close()}>
      <Dialog.Portal>
        <Dialog.Overlay className="veil" />
        <Dialog.Content
          className="palette floating"
          aria-describedby={undefined}
          onCloseAutoFocus={onClosed}
        >
          <Dialog.Title className="visually-hidden">{t("palette.title")}</Dialog.Title>
          <Command loop filter={rank} label={t("palette.title")}>
            <Command.Input className="palette-input" placeholder={t("palette.placeholder")} />
            <Command.List className="palette-list">
              <Command.Empty className="panel-empty">{t("palette.nothing")}</Command.Empty>
              {CATEGORIES.map((category) => (
                <Command.Group key={category} heading={t(`palette.category.${category}`)}>
                  {allCommands
                    .filter((command) => command.category === category)
                    .map((command) => (
                      <Command.Item
                        key={command.id}
                        className="menu-item"
                        value={command.id}
                        keywords={[t(command.label), english(command.label)]}
                        disabled={!isEnabled(command)}
                        onSelect={() => {
                          called.current = command;
                          close();
                        }}
                      >
                        {t(command.label)}
                        <kbd>{keysOf(command, chosen).map(shortcutText).join(", ")}</kbd>
                      </Command.Item>
                    ))}
                </Command.Group>
              ))}
            </Command.List>
          </Command>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

/** Each word must stand in one of the names; 1 where a name begins with all of them, 0 is no match. */
function rank(_id: string, typed: string, names: readonly string[] = []): number {
  const wanted = plain(typed).split(/\s+/);
  const found = names.map(plain);
  if (found.some((name) => name.startsWith(wanted.join(" ")))) return 1;
  return found.some((name) => wanted.every((word) => name.includes(word))) ? 0.5 : 0;
}

function plain(text: string): string {
  return text.normalize("NFKC").toLowerCase().trim();
}

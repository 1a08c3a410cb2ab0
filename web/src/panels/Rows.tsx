import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useRef } from "react";

interface Props<T> {
  readonly items: readonly T[];
  readonly rowPx: number;
  /** Whether a row may need more than `rowPx`. */
  readonly grows?: boolean;
  readonly label: string;
  readonly keyOf: (item: T) => string;
  readonly onEnd?: () => void;
  readonly children: (item: T, at: number) => ReactNode;
}

const AROUND = 6;

/** A long list of which only what can be seen is drawn. */
export function Rows<T>(props: Props<T>) {
  const { items, rowPx, grows = false, label, keyOf, onEnd, children } = props;
  const frame = useRef<HTMLElement>(null);
  const rows = useVirtualizer({
    count: items.length,
    getScrollElement: () => frame.current,
    estimateSize: () => rowPx,
    overscan: AROUND,
    getItemKey: (at) => {
      const item = items[at];
      return item === undefined ? at : keyOf(item);
    },
    onChange: (shown) => {
      const last = shown.getVirtualItems().at(-1);
      if (last !== undefined && last.index >= items.length - 1) onEnd?.();
    },
  });
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a list that scrolls must be reachable by keyboard
    <section ref={frame} className="rows" tabIndex={0} aria-label={label}>
      <ul className="rows-inside" style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map((row) => {
          const item = items[row.index];
          return item === undefined ? null : (
            <li
              key={row.key}
              className="row"
              aria-setsize={items.length}
              aria-posinset={row.index + 1}
              ref={grows ? rows.measureElement : undefined}
              data-index={row.index}
              style={{
                [grows ? "minHeight" : "height"]: rowPx,
                transform: `translateY(${row.start}px)`,
              }}
            >
              {children(item, row.index)}
            </li>
          );
        })}
      </ul>
    </section>
  );
}

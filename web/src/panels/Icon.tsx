/** Line icons of our own on a 20 × 20 grid. */

const PATHS = {
  workflows: "M3 5.5h5l1.5 2H17v8.5H3z",
  templates: "M3.5 3.5h5v5h-5zM11.5 3.5h5v5h-5zM3.5 11.5h5v5h-5zM11.5 11.5h5v5h-5z",
  queue: "M4 5h12M4 10h12M4 15h7",
  gallery: "M3 4h14v12H3zM3 13l4-4 3.5 3.5L13 10l4 4M13 7.2h.01",
  problems: "M10 3.2 17.5 16h-15zM10 8v4M10 14h.01",
  plugins: "M7 3v4M13 3v4M5 7h10v3a5 5 0 0 1-10 0zM10 15v2.5",
  settings: "M4 6h7M15 6h1M4 14h1M9 14h7M13 4v4M7 12v4",
  preferences:
    "M10 12.6a2.6 2.6 0 1 0 0-5.2 2.6 2.6 0 0 0 0 5.2zM10 2.8v2M10 15.2v2M2.8 10h2M15.2 10h2M4.9 4.9l1.4 1.4M13.7 13.7l1.4 1.4M4.9 15.1l1.4-1.4M13.7 6.3l1.4-1.4",
  palette: "M4 6.5 7.5 10 4 13.5M9.5 14H16",
  close: "M5 5l10 10M15 5 5 15",
  play: "M6 4l10 6-10 6z",
  pause: "M6.5 4.5v11M13.5 4.5v11",
  stop: "M5 5h10v10H5z",
  retry: "M15.5 8.5A6 6 0 1 0 16 11M16 4v4.5h-4.5",
  edit: "M4 16l.8-3.4L13.4 4 16 6.6l-8.6 8.6zM11.8 5.6l2.6 2.6",
  trash: "M4 6h12M8 6V4h4v2M5.5 6l.8 10.5h7.4L14.5 6M8.6 9v4.5M11.4 9v4.5",
  download: "M10 3.5v9M6 9l4 4 4-4M4 16.5h12",
  open: "M11.5 4H16v4.5M16 4l-7 7M13 11.5V16H4V7h4.5",
  compare: "M10 3v14M3.5 5H10v10H3.5zM10 5h6.5v10H10",
  pin: "M7.5 3h5l-.6 5 2.6 2.8h-9L8.1 8zM10 10.8V17",
  help: "M10 16h.01M7.3 7.4A2.8 2.8 0 1 1 10.8 10c-.6.3-.8.7-.8 1.6V12.5",
  dice: "M4 4h12v12H4zM7.2 7.2h.01M12.8 7.2h.01M10 10h.01M7.2 12.8h.01M12.8 12.8h.01",
  plus: "M10 4v12M4 10h12",
  grip: "M8 5h.01M12 5h.01M8 10h.01M12 10h.01M8 15h.01M12 15h.01",
  search: "M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM13 13l4 4",
  up: "M5 12l5-5 5 5",
  down: "M5 8l5 5 5-5",
  left: "M12 5l-5 5 5 5",
  right: "M8 5l5 5-5 5",
  history: "M10 5.5V10l3 2M4 10a6 6 0 1 0 1.8-4.3M4 3.5V7h3.5",
  fit: "M4 7.5V4h3.5M12.5 4H16v3.5M16 12.5V16h-3.5M7.5 16H4v-3.5",
  zoomIn: "M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM13 13l4 4M9 6.5v5M6.5 9h5",
  zoomOut: "M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM13 13l4 4M6.5 9h5",
  grid: "M7.3 3v14M12.7 3v14M3 7.3h14M3 12.7h14",
  lock: "M5 9h10v7.5H5zM7 9V6.5a3 3 0 0 1 6 0V9",
  map: "M3 4h14v12H3zM6 7h3v2.5H6zM11 10.5h3V13h-3z",
  outline: "M3.5 5.5h.01M6.5 5.5h10M6.5 10h.01M9.5 10h7M6.5 14.5h.01M9.5 14.5h7",
  upload: "M10 13V4M6 7.5l4-4 4 4M4 16.5h12",
  panel: "M3 4h14v12H3zM12 4v12",
  enter: "M4 4h8v4M4 4v12h12V9M9 11l7-7M11.5 4H16v4.5",
  gone: "M3 6v10h10M6.5 4H17v10.5M3 13l4-4 2 1.8M3 3l14 14",
  check: "M4.5 10.5 8.5 14.5 15.5 6",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg className="panel-icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

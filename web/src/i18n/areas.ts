/** The texts of files by the name of their area: `./en/queue.json` → `queue`. */
export function byArea(files: Readonly<Record<string, object>>): Record<string, object> {
  return Object.fromEntries(
    Object.entries(files).map(([path, texts]) => [path.replace(/^.*\/|\.json$/g, ""), texts]),
  );
}

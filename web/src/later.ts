/** Code that comes after the first paint. */

const AGAIN_MS = 2000;
const parts = new Set<() => Promise<unknown>>();

/** Gets a part when it is first needed; while the server is away, asks again until it is back. */
export function later<Part>(load: () => Promise<Part>): () => Promise<Part> {
  const part = async () => {
    for (;;) {
      try {
        return await load();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  };
  parts.add(part);
  return part;
}

/** Get all parts, so that none is missing when the server goes away or is replaced by a newer one. */
export async function loadParts(): Promise<void> {
  for (const part of parts) await part();
}

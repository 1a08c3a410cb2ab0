/** Who this window is for the server. */

import { claimClientId, freshId } from "../api/client";

let id: string | null = null;

/** This window's id; `claimIdentity` comes first. */
export function clientId(): string {
  id ??= freshId();
  return id;
}

/** Take this window's id: the same after a reload, another one in every other window. */
export async function claimIdentity(): Promise<string> {
  id = await claimClientId();
  return id;
}

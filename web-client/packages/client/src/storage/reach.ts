/** Arithmetic on how far peers' operations go. */

import type { Reach, StorageWrite } from "./port.js";

/** The further of the two, peer by peer. */
export function farthest(one: Reach, other: Reach): Reach {
  const result: Record<string, number> = { ...one };
  for (const [peer, end] of Object.entries(other)) {
    result[peer] = Math.max(end, result[peer] ?? 0);
  }
  return result;
}

/** What of `reach` is beyond `settled`. */
export function beyond(reach: Reach, settled: Reach): Reach {
  return Object.fromEntries(Object.entries(reach).filter(([peer, end]) => end > (settled[peer] ?? 0)));
}

export function isNothing(reach: Reach): boolean {
  return Object.keys(reach).length === 0;
}

/** What of a row is a seed once a part was added. */
export function seedAfter(seed: Reach, write: Extract<StorageWrite, { type: "append" }>): Reach {
  return write.isSeed === true ? farthest(seed, write.unsent ?? {}) : seed;
}

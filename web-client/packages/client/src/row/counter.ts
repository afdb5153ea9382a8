/** Counters: a map with one total for each peer, whose sum is the value. */

import { isContainer, type LoroMap, type PeerID, type Value } from "loro-crdt";

import { CorellaError } from "../public/error.js";

/** What the counter under `field` stands at. */
export function countOf(fields: LoroMap, field: string): number {
  const value: unknown = fields.get(field);
  if (typeof value === "number") {
    // The field was a plain number before it became a counter.
    return value;
  }
  if (!isContainer(value) || value.kind() !== "Map") {
    return 0;
  }
  let sum = 0;
  for (const total of Object.values((value as LoroMap).toJSON() as Record<string, Value>)) {
    sum += typeof total === "number" ? total : 0;
  }
  return sum;
}

/** Adds `by` to the total of `peer`, which nobody else writes. */
export function addTo(fields: LoroMap, field: string, peer: PeerID, by: number): void {
  const present: unknown = fields.get(field);
  if (present !== undefined && present !== null && !isContainer(present)) {
    throw new CorellaError("not_a_counter", `The field ${field} still holds a plain value. Increment it over HTTP once, which makes it a counter.`);
  }
  const own: unknown = isContainer(present) && present.kind() === "Map" ? (present as LoroMap).get(peer) : undefined;
  const total = (typeof own === "number" ? own : 0) + by;
  const exact = Number.isInteger(total) ? Number.isSafeInteger(total) : Number.isFinite(total);
  if (!exact) {
    throw new CorellaError("inexact_number", `The increment ${String(by)} leads ${field} to a total that a number cannot hold exactly. Increment it over HTTP, with the number as a string.`);
  }
  fields.ensureMergeableMap(field).set(peer, total);
}

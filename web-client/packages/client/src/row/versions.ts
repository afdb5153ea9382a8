/** Version vectors, compared. */

import { VersionVector } from "loro-crdt";

/** Reads a version from the wire; a stock server's empty byte string stands for "nothing". Throws on anything unreadable. */
export function decodeVersion(bytes: Uint8Array): VersionVector {
  return bytes.length === 0 ? new VersionVector(null) : VersionVector.decode(bytes);
}

/** Whether `mine` has every operation that `other` has. */
export function covers(mine: VersionVector, other: VersionVector): boolean {
  const order = mine.compare(other);
  return order !== undefined && order >= 0;
}

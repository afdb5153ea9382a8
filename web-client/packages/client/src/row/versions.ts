/** Version vectors: read, compared, and as plain reaches. */

import { decodeImportBlobMeta, type LoroDoc, type PeerID, VersionVector } from "loro-crdt";

import type { Reach } from "../storage/port.js";

/** Reads a version from the wire; a stock server's empty byte string stands for "nothing". Throws on anything unreadable. */
export function decodeVersion(bytes: Uint8Array): VersionVector {
  return bytes.length === 0 ? new VersionVector(null) : VersionVector.decode(bytes);
}

/** Whether `mine` has every operation that `other` has. */
export function covers(mine: VersionVector, other: VersionVector): boolean {
  const order = mine.compare(other);
  return order !== undefined && order >= 0;
}

export function copyVersion(version: VersionVector): VersionVector {
  return VersionVector.decode(version.encode());
}

/** Raises `version` to what an update holds. */
export function raise(version: VersionVector, update: Uint8Array): void {
  for (const [peer, end] of decodeImportBlobMeta(update, false).partialEndVersionVector.toJSON()) {
    if (end > (version.get(peer) ?? 0)) {
      version.setEnd({ peer, counter: end });
    }
  }
}

export function toReach(version: VersionVector): Reach {
  return Object.fromEntries(version.toJSON());
}

export function fromReach(reach: Reach): VersionVector {
  return new VersionVector(new Map(Object.entries(reach) as [PeerID, number][]));
}

/** How far the operations of one update go. */
export function reachOf(update: Uint8Array): Reach {
  return toReach(decodeImportBlobMeta(update, false).partialEndVersionVector);
}

/** What a document has beyond `durable`. */
export function unsentIn(doc: LoroDoc, durable: VersionVector): Reach {
  const unsent: Record<string, number> = {};
  for (const [peer, end] of doc.oplogVersion().toJSON()) {
    if (end > (durable.get(peer) ?? 0)) {
      unsent[peer] = end;
    }
  }
  return unsent;
}

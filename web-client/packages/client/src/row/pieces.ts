/** Unsent operations, cut into pieces that a server takes whatever their number. */

import { type Change, type LoroDoc, type PeerID, VersionVector } from "loro-crdt";

import { copyVersion } from "./versions.js";

/** More operations than this leave in several updates. */
const PIECE_OPERATIONS = 50_000;

/** A longer update is cut further, as long as it has more than one operation. */
const PIECE_BYTES = 4 * 1024 * 1024;

interface Span {
  readonly id: { readonly peer: PeerID; readonly counter: number };
  readonly len: number;
}

export interface Piece {
  readonly update: Uint8Array;
  /** What the receiver has afterwards. */
  readonly version: VersionVector;
}

/** The next update for a receiver that has `from`: everything that it lacks, or as much of it as fits. */
export function nextPiece(doc: LoroDoc, from: VersionVector): Piece {
  const missing = missingSpans(doc, from);
  const count = missing.reduce((sum, span) => sum + span.len, 0);
  if (count <= PIECE_OPERATIONS) {
    const update = doc.export({ mode: "update", from });
    if (update.length <= PIECE_BYTES || count <= 1) {
      return { update, version: doc.oplogVersion() };
    }
  }
  let spans = first(inCausalOrder(doc, missing), PIECE_OPERATIONS);
  let update = doc.export({ mode: "updates-in-range", spans: [...spans] });
  while (update.length > PIECE_BYTES && total(spans) > 1) {
    spans = first(spans, Math.ceil(total(spans) / 2));
    update = doc.export({ mode: "updates-in-range", spans: [...spans] });
  }
  const version = copyVersion(from);
  for (const { id, len } of spans) {
    version.setEnd({ peer: id.peer, counter: id.counter + len });
  }
  return { update, version };
}

function missingSpans(doc: LoroDoc, from: VersionVector): Span[] {
  const spans: Span[] = [];
  for (const [peer, end] of doc.oplogVersion().toJSON()) {
    const counter = from.get(peer) ?? 0;
    if (end > counter) {
      spans.push({ id: { peer, counter }, len: end - counter });
    }
  }
  return spans;
}

/** Operations in the order of their Lamport times, in which none comes before one that it builds on. */
function inCausalOrder(doc: LoroDoc, missing: readonly Span[]): Span[] {
  const runs: (Span & { readonly lamport: number })[] = [];
  for (const { id, len } of missing) {
    const end = id.counter + len;
    let counter = id.counter;
    while (counter < end) {
      const change: Change = doc.getChangeAt({ peer: id.peer, counter });
      const stop = Math.min(end, change.counter + change.length);
      runs.push({ id: { peer: id.peer, counter }, len: stop - counter, lamport: change.lamport + counter - change.counter });
      counter = stop;
    }
  }
  return runs.sort((one, other) => one.lamport - other.lamport);
}

function first(spans: readonly Span[], most: number): Span[] {
  const taken: Span[] = [];
  let left = most;
  for (const span of spans) {
    if (left === 0) {
      break;
    }
    const len = Math.min(span.len, left);
    taken.push({ id: span.id, len });
    left -= len;
  }
  return taken;
}

function total(spans: readonly Span[]): number {
  return spans.reduce((sum, span) => sum + span.len, 0);
}

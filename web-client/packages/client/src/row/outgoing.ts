/** What of a document has been sent, and what of that is durable. */

import { type LoroDoc, VersionVector } from "loro-crdt";

import { toBatch, type AckStatus, type BatchId, type RoomAddress } from "../wire/index.js";
import { nextPiece } from "./pieces.js";
import { readAckRefusal, type Refusal } from "./refusal.js";
import type { Link, RefusalDetail } from "./room.js";
import { copyVersion, covers, raise } from "./versions.js";

/** With this many batches under way, further edits wait and leave together: a slow server is not flooded. */
const BATCHES_UNDER_WAY = 16;

/** So many bytes under way have the same effect. */
const BYTES_UNDER_WAY = 4 * 1024 * 1024;

interface Underway {
  /** What is durable once the batch is acknowledged. */
  readonly version: Uint8Array;
  readonly byteCount: number;
}

/**
 * The sending side of a document's room.
 *
 * There is no outbox: `#known` holds what the server has or was sent on this connection, and what leaves is always the
 * difference between the document and that.
 */
export class Outgoing {
  readonly #address: RoomAddress;
  readonly #link: Link;
  readonly #unconfirmed = new Map<BatchId, Underway>();
  readonly #words = new Map<BatchId, RefusalDetail>();
  #known: VersionVector | undefined;
  #durable = new VersionVector(null);
  #paused = false;
  /** Some edits may not have been sent. */
  #dirty = false;
  /** Some edits may not be durable on the server. */
  #unsaved = false;
  /** What of the unsaved edits fills the document: taken in only where nobody else has filled it. */
  #seed: VersionVector | undefined;

  constructor(address: RoomAddress, link: Link) {
    this.#address = address;
    this.#link = link;
  }

  /** Batches that were sent, or wait to be, and are not confirmed as durable. */
  get unconfirmedCount(): number {
    return this.#unconfirmed.size + (this.#dirty ? 1 : 0);
  }

  get hasUnsavedEdits(): boolean {
    return this.#unsaved;
  }

  /** What the server is known to keep. Of an earlier connection, while there is none. */
  get durable(): VersionVector {
    return this.#durable;
  }

  /** What fills the document, until the server has it. */
  get seed(): VersionVector | undefined {
    return this.#seed;
  }

  /** Whether somebody else has filled the document that was filled here. `false` outside the room. */
  get isSeedLost(): boolean {
    return this.#seed !== undefined && this.#known !== undefined && this.#known.length() > 0 && !covers(this.#known, this.#seed);
  }

  /** The document was filled on this device. */
  seeded(seed: VersionVector | undefined): void {
    this.#seed = seed;
  }

  /** The document was edited on this device. */
  edited(): void {
    this.#dirty = true;
    this.#unsaved = true;
  }

  /** The room let us in, and has this. */
  started(known: VersionVector): void {
    this.#known = known;
    this.#durable = copyVersion(known);
    this.#paused = false;
    this.#settleSeed();
  }

  /** Outside the room nothing can be confirmed: what was not, counts as unsent. */
  stopped(): void {
    this.#known = undefined;
    this.#forgetBatches();
  }

  /** The document was given up, and its edits with it. */
  abandoned(): void {
    this.#unsaved = false;
    this.#seed = undefined;
    this.#durable = new VersionVector(null);
    this.stopped();
  }

  /** Nothing more is sent until {@link rewind} or a new {@link started}. */
  pause(): void {
    this.#paused = true;
    this.#dirty = true;
  }

  /** What was sent and not confirmed counts as unsent, without leaving the room. */
  rewind(): void {
    this.#paused = false;
    if (this.#known !== undefined) {
      this.#known = copyVersion(this.#durable);
      this.#forgetBatches();
    }
  }

  /** The document took in updates of the server's, whole. */
  inStep(updates: readonly Uint8Array[]): void {
    for (const update of updates) {
      raise(this.#durable, update);
      if (this.#known !== undefined) {
        raise(this.#known, update);
      }
    }
  }

  /** Whether the document holds something that the server does not know. `false` outside the room. */
  isBehind(doc: LoroDoc): boolean {
    return this.#known !== undefined && !covers(this.#known, doc.oplogVersion());
  }

  /** Sends what the server lacks, in pieces. Unless `atOnce` is set, it may wait for batches before it to be confirmed. */
  send(doc: LoroDoc, atOnce: boolean): void {
    while (this.#known !== undefined && !this.#paused && (atOnce || this.#hasRoom())) {
      if (!this.isBehind(doc)) {
        this.#dirty = false;
        this.#settle();
        return;
      }
      this.#unsaved = true;
      this.#dirty = true;
      const piece = nextPiece(doc, this.#known);
      const isSeed = this.#seed !== undefined && this.#known.length() === 0;
      this.#known = piece.version;
      const { batch, frames } = toBatch(this.#address, piece.update);
      if (isSeed) {
        this.#link.sendText(JSON.stringify({ type: "seed", room: this.#address.room, batch }));
      }
      this.#unconfirmed.set(batch, { version: piece.version.encode(), byteCount: piece.update.length });
      for (const frame of frames) {
        this.#link.send(frame);
      }
    }
  }

  /** Whether this batch waits for its acknowledgement. */
  awaits(batch: BatchId): boolean {
    return this.#unconfirmed.has(batch);
  }

  isExplained(batch: BatchId): boolean {
    return this.#words.has(batch);
  }

  /** Keeps the server's words on a batch for its acknowledgement. */
  explain(batch: BatchId, words: RefusalDetail): void {
    if (this.#unconfirmed.has(batch)) {
      this.#words.set(batch, words);
    }
  }

  /** Takes an acknowledgement; `undefined` for a batch of another connection, or of another client. */
  confirm(batch: BatchId, status: AckStatus): Refusal | "ok" | undefined {
    const underway = this.#unconfirmed.get(batch);
    if (underway === undefined) {
      return undefined;
    }
    this.#unconfirmed.delete(batch);
    const words = this.#words.get(batch);
    this.#words.delete(batch);
    if (status !== "ok") {
      return readAckRefusal(status, words);
    }
    // Batches of a room are stored in their order: what went before this one is durable too.
    for (const [peer, counter] of VersionVector.decode(underway.version).toJSON()) {
      if (counter > (this.#durable.get(peer) ?? 0)) {
        this.#durable.setEnd({ peer, counter });
      }
    }
    this.#settleSeed();
    this.#settle();
    return "ok";
  }

  #hasRoom(): boolean {
    let byteCount = 0;
    for (const underway of this.#unconfirmed.values()) {
      byteCount += underway.byteCount;
    }
    return this.#unconfirmed.size < BATCHES_UNDER_WAY && byteCount < BYTES_UNDER_WAY;
  }

  #forgetBatches(): void {
    this.#unconfirmed.clear();
    this.#words.clear();
    this.#dirty = this.#unsaved;
  }

  #settleSeed(): void {
    if (this.#seed !== undefined && covers(this.#durable, this.#seed)) {
      this.#seed = undefined;
    }
  }

  #settle(): void {
    if (this.unconfirmedCount === 0) {
      this.#unsaved = false;
    }
  }
}

/** What of a document has been sent, and what of that is durable. */

import { VersionVector, type LoroDoc } from "loro-crdt";

import { toBatch, type AckStatus, type BatchId, type RoomAddress } from "../wire/index.js";
import { readAckRefusal, type Refusal } from "./refusal.js";
import type { Link, RefusalDetail } from "./room.js";
import { covers } from "./versions.js";

/** With this many batches under way, further edits wait and leave together: a slow server is not flooded. */
const BATCHES_UNDER_WAY = 16;

/**
 * The sending side of a document's room.
 *
 * There is no outbox: `#known` holds what the server has or was sent on this connection, and what leaves is always the
 * difference between the document and that.
 */
export class Outgoing {
  readonly #address: RoomAddress;
  readonly #link: Link;
  readonly #unconfirmed = new Set<BatchId>();
  readonly #words = new Map<BatchId, RefusalDetail>();
  #known: VersionVector | undefined;
  /** Some edits may not have been sent. */
  #dirty = false;
  /** Some edits may not be durable on the server. */
  #unsaved = false;

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

  /** The document was edited here. */
  edited(): void {
    this.#dirty = true;
    this.#unsaved = true;
  }

  /** The room let us in, and has this. */
  started(known: VersionVector): void {
    this.#known = known;
  }

  /** Outside the room nothing can be confirmed: what was not, counts as unsent. */
  stopped(): void {
    this.#known = undefined;
    this.#unconfirmed.clear();
    this.#words.clear();
    this.#dirty = this.#unsaved;
  }

  /** The document was given up, and its edits with it. */
  abandoned(): void {
    this.#unsaved = false;
    this.stopped();
  }

  /**
   * The document took in an update of the server's. Before it, all that was in the document had been sent; what this
   * client wrote since, such as in a callback that the update woke, has not.
   *
   * @param own how many operations of this client's the document held before the update.
   */
  inStep(doc: LoroDoc, own: number): void {
    const known = doc.oplogVersion().toJSON();
    if ((known.get(doc.peerIdStr) ?? 0) > own) {
      if (own > 0) {
        known.set(doc.peerIdStr, own);
      } else {
        known.delete(doc.peerIdStr);
      }
    }
    this.#known = new VersionVector(known);
  }

  /** Whether the document holds something that the server does not know. `false` outside the room. */
  isBehind(doc: LoroDoc): boolean {
    return this.#known !== undefined && !covers(this.#known, doc.oplogVersion());
  }

  /** Sends what the server lacks. Unless `atOnce` is set, it may wait for batches before it to be confirmed. */
  send(doc: LoroDoc, atOnce: boolean): void {
    if (this.#known === undefined || (!atOnce && this.#unconfirmed.size >= BATCHES_UNDER_WAY)) {
      return;
    }
    if (this.isBehind(doc)) {
      const update = doc.export({ mode: "update", from: this.#known });
      this.#known = doc.oplogVersion();
      this.#unsaved = true;
      const { batch, frames } = toBatch(this.#address, update);
      this.#unconfirmed.add(batch);
      for (const frame of frames) {
        this.#link.send(frame);
      }
    }
    this.#dirty = false;
    this.#settle();
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
    if (!this.#unconfirmed.delete(batch)) {
      return undefined;
    }
    const words = this.#words.get(batch);
    this.#words.delete(batch);
    if (status !== "ok") {
      return readAckRefusal(status, words);
    }
    this.#settle();
    return "ok";
  }

  #settle(): void {
    if (this.unconfirmedCount === 0) {
      this.#unsaved = false;
    }
  }
}

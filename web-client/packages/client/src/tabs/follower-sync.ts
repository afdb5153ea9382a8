/** Keeps one row in step with the tab that holds the connection. */

import { type LoroDoc, VersionVector } from "loro-crdt";

import type { RefusalDetail } from "../row/room.js";
import type { Phase, RowSync } from "../row/row-sync.js";
import { covers, fromReach } from "../row/versions.js";
import type { Reach, RowKey } from "../storage/port.js";
import type { TabWords } from "./messages.js";

export interface FollowerSyncOwner {
  readonly doc: LoroDoc;
  presence(): readonly Uint8Array[];
  post(words: TabWords): void;
  progressed(): void;
  caughtUp(): void;
  /** The server has confirmed all that the document has. */
  settled(durable: Reach, epoch: string | undefined): void;
}

/** Edits need not be sent from here: the row tells all tabs of them, the leader among them. */
export class FollowerSync implements RowSync {
  readonly #key: RowKey;
  readonly #owner: FollowerSyncOwner;
  #phase: Phase = "away";
  #refusal: RefusalDetail | undefined;
  #durable: VersionVector | undefined;
  #unconfirmed = 0;
  #isDirty: boolean;

  constructor(key: RowKey, owner: FollowerSyncOwner, isDirty: boolean) {
    this.#key = key;
    this.#owner = owner;
    this.#isDirty = isDirty;
  }

  get phase(): Phase {
    return this.#phase;
  }

  get refusal(): RefusalDetail | undefined {
    return this.#refusal;
  }

  get unconfirmedCount(): number {
    return this.#isDirty ? Math.max(1, this.#unconfirmed) : 0;
  }

  get hasUnsavedEdits(): boolean {
    return this.#isDirty;
  }

  /** Tells the leader what this tab has; it answers with what this tab lacks. */
  open(): void {
    this.#owner.doc.commit();
    this.#owner.post({ type: "open", row: this.#key, version: this.#owner.doc.oplogVersion().encode(), presence: this.#owner.presence() });
  }

  /** The leader's answer. Returns what the leader lacks in its turn. */
  opened(version: Uint8Array): Uint8Array | undefined {
    const theirs = VersionVector.decode(version);
    const { doc } = this.#owner;
    return covers(theirs, doc.oplogVersion()) ? undefined : doc.export({ mode: "update", from: theirs });
  }

  heard(state: Extract<TabWords, { type: "state" }>): void {
    this.#phase = state.phase;
    this.#refusal = state.refusal;
    this.#durable = fromReach(state.durable);
    this.#unconfirmed = state.unconfirmed;
    this.#look();
    if (this.#phase === "live") {
      this.#owner.caughtUp();
    }
    if (!this.#isDirty) {
      this.#owner.settled(state.durable, state.epoch);
    }
    this.#owner.progressed();
  }

  /** The leader is gone, and the next one will ask for itself. */
  leaderless(): void {
    this.#phase = "away";
    this.#owner.progressed();
  }

  /** The row tells the leader. */
  seeded(): void {}

  edited(): void {
    this.#isDirty = true;
    this.#owner.progressed();
  }

  leave(): void {
    this.#owner.post({ type: "close", row: this.#key });
  }

  detach(): void {}

  #look(): void {
    if (this.#durable !== undefined) {
      this.#isDirty = !covers(this.#durable, this.#owner.doc.oplogVersion());
    }
  }
}

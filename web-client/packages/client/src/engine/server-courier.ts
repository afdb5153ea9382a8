/** Carries one row over this tab's own connection, for itself and for the other tabs that have it open. */

import type { LoroDoc, VersionVector } from "loro-crdt";

import type { RowRejection, RowReset } from "../public/types.js";
import { DocumentSync } from "../row/document-sync.js";
import type { RowPresence } from "../row/presence.js";
import { PresenceSync } from "../row/presence-sync.js";
import type { Room } from "../row/room.js";
import type { Row } from "../row/row.js";
import type { RowCourier } from "../row/row-context.js";
import { fromReach, toReach, unsentIn } from "../row/versions.js";
import type { StoredRejection } from "../storage/port.js";
import { isNothing } from "../storage/reach.js";
import type { TabWords } from "../tabs/messages.js";
import type { Uplink } from "./uplink.js";
import { uuid7 } from "../util/uuid.js";

export interface ServerCourierOwner {
  post(words: TabWords): void;
  /** Work was refused for good, and is kept. */
  rejected(rejection: StoredRejection): void;
}

export class ServerCourier implements RowCourier {
  readonly sync: DocumentSync;
  readonly #row: Row;
  readonly #uplink: Uplink;
  readonly #owner: ServerCourierOwner;
  #presenceSync: PresenceSync | undefined;
  #stateWaits = false;

  constructor(row: Row, uplink: Uplink, owner: ServerCourierOwner) {
    this.#row = row;
    this.#uplink = uplink;
    this.#owner = owner;
    this.sync = new DocumentSync(
      row.key,
      row.doc,
      uplink,
      {
        progressed: () => this.#progressed(),
        received: (updates) => row.received(updates),
        caughtUp: () => row.caughtUp(),
        rejected: (rejection) => this.#rejected(rejection),
        reset: (reset) => this.#reset(reset),
        replaced: (doc, dealtWith) => this.#replaced(doc, dealtWith),
      },
      row.store.epoch,
      isNothing(row.store.seed) ? undefined : fromReach(row.store.seed),
    );
  }

  start(presence: RowPresence | undefined): void {
    this.#enter(this.sync);
    if (presence !== undefined) {
      this.startPresence(presence);
    }
  }

  startPresence(presence: RowPresence): void {
    const row = this.#row.key;
    this.#presenceSync = new PresenceSync(row, presence, this.#uplink, (update) => {
      if (this.#row.followers.size > 0) {
        this.#owner.post({ type: "presence", row, update });
      }
    });
    this.#enter(this.#presenceSync);
  }

  sendPresence(update: Uint8Array): void {
    this.#presenceSync?.send(update);
  }

  /** The server's versions make everything good at the next join. */
  reopen(): void {}

  leave(): void {
    this.#presenceSync?.leave();
    this.sync.leave();
    this.#removeRooms();
  }

  detach(): void {
    this.#presenceSync?.detach();
    this.sync.detach();
    this.#removeRooms();
  }

  /** Tells the other tabs how the row stands; once for all that changes in a tick. */
  tellState(): void {
    if (this.#stateWaits || this.#row.followers.size === 0) {
      return;
    }
    this.#stateWaits = true;
    queueMicrotask(() => {
      this.#stateWaits = false;
      const { phase, refusal, durable, epoch, unconfirmedCount } = this.sync;
      const words = refusal && { code: refusal.code, message: refusal.message };
      this.#owner.post({ type: "state", row: this.#row.key, phase, refusal: words, durable: toReach(durable), epoch, unconfirmed: unconfirmedCount });
    });
  }

  #enter(room: Room): void {
    this.#uplink.router.add(room);
    if (this.#uplink.status === "online") {
      room.connected();
    }
  }

  #removeRooms(): void {
    this.#uplink.router.remove(this.sync);
    if (this.#presenceSync !== undefined) {
      this.#uplink.router.remove(this.#presenceSync);
    }
  }

  #progressed(): void {
    const { sync } = this;
    const { store } = this.#row;
    if (sync.phase === "live" && !sync.hasUnsavedEdits && (store.hasUnsent || store.epoch !== sync.epoch)) {
      store.settle(toReach(sync.durable), sync.epoch);
    }
    this.tellState();
    this.#row.report();
  }

  #rejected(rejection: RowRejection): void {
    const { store, doc } = this.#row;
    const stored = this.#stored(rejection);
    if (rejection.lost === doc) {
      store.quarantine(stored);
      this.#owner.post({ type: "rejected", row: this.#row.key, code: rejection.code, message: rejection.message });
    } else {
      // Another document is in place already, here and in the other tabs.
      store.quarantineBeside(stored);
    }
    this.#row.reject(rejection);
    this.#owner.rejected(stored);
  }

  #reset(reset: RowReset): void {
    if (reset.unsent !== undefined) {
      const stored = this.#stored({ code: reset.code, message: reset.message, lost: reset.document });
      this.#row.store.quarantineBeside(stored);
      this.#owner.rejected(stored);
    }
    this.#row.tellReset(reset);
  }

  #stored({ code, message, lost }: RowRejection): StoredRejection {
    const { entity, id } = this.#row;
    const snapshot = lost.export({ mode: "snapshot" });
    return { id: uuid7(), code, message, at: Date.now(), work: { kind: "edits", entity, id, snapshot } };
  }

  #replaced(doc: LoroDoc, dealtWith: VersionVector | undefined): void {
    const { store, followers, key } = this.#row;
    store.replace(doc, unsentIn(doc, this.sync.durable), this.sync.epoch);
    this.#row.replace(doc);
    if (followers.size > 0) {
      this.#owner.post({ type: "replaced", row: key, snapshot: doc.export({ mode: "snapshot" }), dealtWith: dealtWith?.encode() });
    }
  }
}

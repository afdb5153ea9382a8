/** One open row: its document, its presence, its status, and who still uses it. */

import { EphemeralStore, LoroDoc, type LoroList, type LoroMap, type LoroMovableList, type LoroText, type LoroTree, type Value } from "loro-crdt";

import { CorellaError } from "../public/error.js";
import type { RowChange, RowHandle, RowRejection, RowReset, RowStatus, Unsubscribe } from "../public/types.js";
import { Emitter } from "../util/emitter.js";
import { unreachable } from "../util/unreachable.js";
import { FIELDS_ROOT, toRowChange } from "./changes.js";
import { addTo, countOf } from "./counter.js";
import { DocumentSync } from "./document-sync.js";
import { plainValue } from "./plain-value.js";
import { PRESENCE_TIMEOUT_MILLISECONDS, PresenceSync } from "./presence-sync.js";
import type { Link, Room } from "./room.js";

/** The row behind a {@link RowHandle}. Its client counts the users through {@link retain} and {@link close}. */
export class Row implements RowHandle {
  readonly entity: string;
  readonly id: string;
  readonly presence: EphemeralStore;
  readonly ready: Promise<void>;
  readonly #link: Link;
  readonly #document: DocumentSync;
  readonly #presenceSync: PresenceSync;
  readonly #onDisposed: () => void;
  readonly #statusEvents = new Emitter<RowStatus>();
  readonly #changeEvents = new Emitter<RowChange>();
  readonly #presenceEvents = new Emitter<Readonly<Record<string, Value>>>();
  readonly #rejectedEvents = new Emitter<RowRejection>();
  readonly #resetEvents = new Emitter<RowReset>();
  readonly #replacedEvents = new Emitter<LoroDoc>();
  readonly #unwatchPresence: Unsubscribe;
  #unwatchDoc: Unsubscribe;
  #doc = new LoroDoc();
  #users = 0;
  /** Somebody has used it: from then on it goes when the last user is gone. */
  #opened = false;
  #disposed = false;
  #status: RowStatus = { kind: "offline" };
  #resolveReady: () => void = () => {};
  #rejectReady: (error: CorellaError) => void = () => {};

  constructor(entity: string, id: string, link: Link, onDisposed: () => void) {
    this.entity = entity;
    this.id = id;
    this.#link = link;
    this.#onDisposed = onDisposed;
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve;
      this.#rejectReady = reject;
    });
    // Not everybody waits for it; who does still hears.
    this.ready.catch(() => {});
    const room = `${entity}/${id}`;
    this.presence = new EphemeralStore(PRESENCE_TIMEOUT_MILLISECONDS);
    this.#presenceSync = new PresenceSync(room, this.presence, link);
    this.#unwatchPresence = this.presence.subscribe(() => this.#presenceEvents.emit(this.presence.getAllStates()));
    this.#unwatchDoc = this.#watch(this.#doc);
    this.#document = new DocumentSync(room, this.#doc, link, {
      progressed: () => this.#report(),
      caughtUp: () => this.#resolveReady(),
      rejected: (rejection) => this.#rejectedEvents.emit(rejection),
      reset: (reset) => this.#tellReset(reset),
      replaced: (doc) => this.#replace(doc),
    });
    this.#status = this.#currentStatus();
  }

  /** The rooms that the client routes frames to. */
  get rooms(): readonly Room[] {
    return [this.#document, this.#presenceSync];
  }

  get doc(): LoroDoc {
    return this.#doc;
  }

  get fields(): LoroMap {
    return this.#doc.getMap(FIELDS_ROOT);
  }

  get presenceId(): string {
    return this.#doc.peerIdStr;
  }

  get status(): RowStatus {
    return this.#status;
  }

  text(field: string): LoroText {
    return this.fields.ensureMergeableText(field);
  }

  map(field: string): LoroMap {
    return this.fields.ensureMergeableMap(field);
  }

  list(field: string): LoroList {
    return this.fields.ensureMergeableList(field);
  }

  movableList(field: string): LoroMovableList {
    return this.fields.ensureMergeableMovableList(field);
  }

  tree(field: string): LoroTree {
    return this.fields.ensureMergeableTree(field);
  }

  count(field: string): number {
    return countOf(this.fields, field);
  }

  increment(field: string, by = 1): void {
    addTo(this.fields, field, this.#doc.peerIdStr, by);
    this.#doc.commit();
  }

  get(field: string): Value | undefined {
    return plainValue(this.fields.get(field));
  }

  set(field: string, value: Value): void {
    this.fields.set(field, value);
    this.#doc.commit();
  }

  onStatus(listener: (status: RowStatus) => void): Unsubscribe {
    return this.#statusEvents.on(listener);
  }

  onChange(listener: (change: RowChange) => void): Unsubscribe {
    return this.#changeEvents.on(listener);
  }

  onPresence(listener: (states: Readonly<Record<string, Value>>) => void): Unsubscribe {
    return this.#presenceEvents.on(listener);
  }

  onRejected(listener: (rejection: RowRejection) => void): Unsubscribe {
    return this.#rejectedEvents.on(listener);
  }

  onReset(listener: (reset: RowReset) => void): Unsubscribe {
    return this.#resetEvents.on(listener);
  }

  onReplaced(listener: (doc: LoroDoc) => void): Unsubscribe {
    return this.#replacedEvents.on(listener);
  }

  /** One more user. A row that only waited for its last edits to be confirmed is in full use again. */
  retain(): this {
    this.#users += 1;
    this.#opened = true;
    return this;
  }

  close(): void {
    this.#users = Math.max(0, this.#users - 1);
    this.#disposeIfUnused();
  }

  /** The connection's status changed. */
  connectionChanged(): void {
    this.#report();
  }

  /** Ends the row whoever still uses it. */
  dispose(): void {
    if (this.#disposed) {
      return;
    }
    this.#disposed = true;
    this.#presenceSync.leave();
    this.#document.leave();
    this.#unwatchDoc();
    this.#unwatchPresence();
    this.#setStatus({ kind: "offline" });
    this.#rejectReady(new CorellaError("row_closed", `The row ${this.entity}/${this.id} was closed before it was loaded.`));
    for (const events of [this.#statusEvents, this.#changeEvents, this.#presenceEvents, this.#rejectedEvents, this.#resetEvents, this.#replacedEvents]) {
      events.clear();
    }
    this.#onDisposed();
  }

  /** Waits with leaving until the last edits are durable: there is nowhere else that keeps them. */
  #disposeIfUnused(): void {
    if (this.#users === 0 && (!this.#document.hasUnsavedEdits || this.#document.phase === "shut_out")) {
      this.dispose();
    }
  }

  #watch(doc: LoroDoc): Unsubscribe {
    return doc.subscribe((batch) => this.#changeEvents.emit(toRowChange(batch)));
  }

  #tellReset(reset: RowReset): void {
    if (this.#resetEvents.isHeard) {
      this.#resetEvents.emit(reset);
    } else if (reset.unsent !== undefined) {
      // Whoever listens for lost edits only hears of these too.
      this.#rejectedEvents.emit({ code: reset.code, message: reset.message, lost: reset.document });
    }
  }

  #replace(doc: LoroDoc): void {
    this.presence.delete(this.presenceId);
    this.#unwatchDoc();
    this.#doc = doc;
    this.#unwatchDoc = this.#watch(doc);
    this.#replacedEvents.emit(doc);
  }

  #report(): void {
    if (this.#disposed) {
      return;
    }
    const status = this.#currentStatus();
    if (status.kind === "refused") {
      this.#rejectReady(new CorellaError(status.code, status.message));
    }
    this.#setStatus(status);
    if (this.#opened) {
      this.#disposeIfUnused();
    }
  }

  #currentStatus(): RowStatus {
    const { phase, refusal } = this.#document;
    if (refusal !== undefined) {
      return { kind: "refused", code: refusal.code, message: refusal.message };
    }
    switch (phase) {
      case "away":
        return { kind: this.#link.status === "offline" ? "offline" : "connecting" };
      case "joining":
      case "catching_up":
      case "shut_out":
        return { kind: "connecting" };
      case "live": {
        const count = this.#document.unconfirmedCount;
        return count === 0 ? { kind: "synced" } : { kind: "pending", count };
      }
      default:
        return unreachable(phase);
    }
  }

  #setStatus(status: RowStatus): void {
    const before = this.#status;
    this.#status = status;
    if (!sameStatus(before, status)) {
      this.#statusEvents.emit(status);
    }
  }
}

function sameStatus(one: RowStatus, other: RowStatus): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

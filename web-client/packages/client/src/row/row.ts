/** One open row: its document, its presence, its status, and who still uses it. */

import { type EphemeralStore, LoroDoc, type LoroList, type LoroMap, type LoroMovableList, type LoroText, type LoroTree, type Value, VersionVector } from "loro-crdt";

import { CorellaError } from "../public/error.js";
import type { RowChange, RowHandle, RowRejection, RowReset, RowStatus, Unsubscribe } from "../public/types.js";
import type { RowKey } from "../storage/port.js";
import type { TabId, TabWords } from "../tabs/messages.js";
import { Emitter } from "../util/emitter.js";
import { CREATION_ORIGIN, FIELDS_ROOT, toRowChange } from "./changes.js";
import { addTo, countOf } from "./counter.js";
import { plainValue } from "./plain-value.js";
import { RowPresence } from "./presence.js";
import type { RowContext, RowCourier } from "./row-context.js";
import { statusOf } from "./row-status.js";
import { RowStore } from "./row-store.js";
import { seedOnce } from "./seeding.js";
import { covers, fromReach } from "./versions.js";

/** The row behind a {@link RowHandle}. Its client counts the users through {@link retain} and {@link close}. */
export class Row implements RowHandle {
  readonly key: RowKey;
  readonly entity: string;
  readonly id: string;
  readonly ready: Promise<void>;
  /** Resolves when the row is read from storage, and carried if there is a way to the server. */
  readonly loaded: Promise<void>;
  readonly store: RowStore;
  readonly #context: RowContext;
  readonly #statusEvents = new Emitter<RowStatus>();
  readonly #savedEvents = new Emitter<boolean>();
  readonly #changeEvents = new Emitter<RowChange>();
  readonly #presenceEvents = new Emitter<Readonly<Record<string, Value>>>();
  readonly #rejectedEvents = new Emitter<RowRejection>();
  readonly #resetEvents = new Emitter<RowReset>();
  readonly #replacedEvents = new Emitter<LoroDoc>();
  /** Other tabs that have the row open, as far as this one carries their edits. */
  readonly #followers = new Set<TabId>();
  #unwatch: Unsubscribe;
  #doc = new LoroDoc();
  #presence: RowPresence | undefined;
  #courier: RowCourier | undefined;
  #loaded = false;
  #users = 0;
  /** Somebody has used it: from then on it goes when the last user is gone. */
  #opened = false;
  #disposed = false;
  /** The document is being filled right now: what is committed is a seed. */
  #isFilling = false;
  /** Under way, while somebody wants the document to be filled. */
  #seeding: Promise<void> | undefined;
  #status: RowStatus = { kind: "offline" };
  #resolveReady: () => void = () => {};
  #rejectReady: (error: CorellaError) => void = () => {};

  constructor(key: RowKey, context: RowContext) {
    this.key = key;
    const slash = key.indexOf("/");
    [this.entity, this.id] = [key.slice(0, slash), key.slice(slash + 1)];
    this.#context = context;
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve;
      this.#rejectReady = reject;
    });
    // Not everybody waits for it; who does still hears.
    this.ready.catch(() => {});
    this.store = new RowStore(key, context.keeper, () => this.#savedChanged());
    context.begins(key, this.#doc);
    this.#unwatch = this.#watch(this.#doc);
    this.#status = this.#currentStatus();
    this.loaded = this.#load();
  }

  get doc(): LoroDoc {
    return this.#doc;
  }

  get fields(): LoroMap {
    return this.#doc.getMap(FIELDS_ROOT);
  }

  get presence(): EphemeralStore {
    return this.presences().store;
  }

  get presenceId(): string {
    return this.#doc.peerIdStr;
  }

  get status(): RowStatus {
    return this.#status;
  }

  get saved(): boolean {
    return this.store.isSaved;
  }

  /** Whether the server lacks something of it, as far as this tab knows. */
  get hasUnsent(): boolean {
    return this.#courier?.sync.hasUnsavedEdits ?? this.store.hasUnsent;
  }

  /** Other tabs that need this row from this tab. */
  get followers(): ReadonlySet<TabId> {
    return this.#followers;
  }

  get isLoaded(): boolean {
    return this.#loaded;
  }

  get isDisposed(): boolean {
    return this.#disposed;
  }

  /** Whether nobody has written to it, as far as this tab knows. */
  get isEmpty(): boolean {
    this.#doc.commit();
    return this.#doc.opCount() === 0;
  }

  /** What somebody at `version` lacks, and what is here. */
  lackOf(version: Uint8Array): { readonly update: Uint8Array; readonly version: Uint8Array } {
    this.#doc.commit();
    const theirs = VersionVector.decode(version);
    const mine = this.#doc.oplogVersion();
    const update = covers(theirs, mine) ? new Uint8Array(0) : this.#doc.export({ mode: "update", from: theirs });
    return { update, version: mine.encode() };
  }

  presenceState(): Uint8Array | undefined {
    return this.#presence?.store.encodeAll();
  }

  text(field: string): LoroText {
    return this.#created(field, () => this.fields.ensureMergeableText(field));
  }

  map(field: string): LoroMap {
    return this.#created(field, () => this.fields.ensureMergeableMap(field));
  }

  list(field: string): LoroList {
    return this.#created(field, () => this.fields.ensureMergeableList(field));
  }

  movableList(field: string): LoroMovableList {
    return this.#created(field, () => this.fields.ensureMergeableMovableList(field));
  }

  tree(field: string): LoroTree {
    return this.#created(field, () => this.fields.ensureMergeableTree(field));
  }

  count(field: string): number {
    return countOf(this.fields, field);
  }

  increment(field: string, by = 1): void {
    if (this.fields.get(field) === undefined) {
      this.map(field);
    }
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

  onSaved(listener: (saved: boolean) => void): Unsubscribe {
    return this.#savedEvents.on(listener);
  }

  onChange(listener: (change: RowChange) => void): Unsubscribe {
    return this.#changeEvents.on(listener);
  }

  onPresence(listener: (states: Readonly<Record<string, Value>>) => void): Unsubscribe {
    this.presences();
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

  /** Has the document filled if it is empty. */
  seedWith(seed: (row: RowHandle) => void): void {
    if (this.#loaded && !this.isEmpty) {
      return;
    }
    this.#seeding = (this.#seeding ?? Promise.resolve()).then(() => seedOnce(this, seed)).catch(throwLater);
    const seeding = this.#seeding;
    void seeding.then(() => {
      if (seeding === this.#seeding) {
        this.#seeding = undefined;
        if (!this.isEmpty || this.#status.kind === "synced") {
          this.#resolveReady();
        }
      }
    });
  }

  exclusively(work: () => Promise<void>): Promise<void> {
    return this.#context.exclusively(`seed/${this.key}`, work);
  }

  fill(seed: (row: RowHandle) => void): void {
    this.#isFilling = true;
    try {
      seed(this);
      this.#doc.commit({ origin: CREATION_ORIGIN });
    } finally {
      this.#isFilling = false;
    }
  }

  close(): void {
    this.#users = Math.max(0, this.#users - 1);
    this.disposeIfUnused();
  }

  /** Another way to the server, or another tab's. */
  carry(courier: RowCourier | undefined): void {
    this.#courier?.detach();
    this.#courier = this.#loaded ? courier : undefined;
    if (this.#courier !== undefined) {
      if (this.store.hasUnsent) {
        this.#courier.sync.edited();
      }
      this.#courier.start(this.#presence);
    }
    this.report();
  }

  follow(tab: TabId): void {
    this.#followers.add(tab);
    this.#opened = true;
  }

  /** A tab has closed the row, or is gone. */
  unfollow(tab: TabId): void {
    this.#followers.delete(tab);
    this.#presence?.takeBack(tab);
    this.disposeIfUnused();
  }

  /** Who is here; it begins to be known with the first call. */
  presences(): RowPresence {
    if (this.#presence === undefined) {
      const presence = new RowPresence({
        said: (update) => {
          this.#courier?.sendPresence(update);
          this.#context.post({ type: "presence", row: this.key, update });
        },
        changed: () => this.#presenceEvents.emit(presence.store.getAllStates()),
      });
      this.#presence = presence;
      this.#courier?.startPresence(presence);
    }
    return this.#presence;
  }

  /** What another tab says of itself. */
  hearPresence(update: Uint8Array, tab: TabId): void {
    if (this.#presence !== undefined || this.#context.leads) {
      this.presences().apply(update, tab);
      this.#courier?.sendPresence(update);
    }
  }

  /** Operations from another tab; `device` or `seed` when they were made there, `server` when the leader got them. */
  take(update: Uint8Array, origin: "device" | "seed" | "server"): void {
    let isWhole = false;
    try {
      isWhole = this.#doc.import(update).pending === null;
    } catch {
      // Asking again makes it good, below.
    }
    if (origin !== "server") {
      this.store.othersAppended(update, origin === "seed");
      this.#sendEdits(origin === "seed");
    }
    if (!isWhole) {
      this.#courier?.reopen();
    }
    this.report();
  }

  /** These updates from the server are in the document. */
  received(updates: readonly Uint8Array[]): void {
    this.store.appendServers(updates);
    this.#tellFollowers(updates, "server");
  }

  /** Where this row stands has changed. */
  report(): void {
    if (this.#disposed) {
      return;
    }
    const status = this.#currentStatus();
    if (status.kind === "refused") {
      this.#rejectReady(new CorellaError(status.code, status.message));
    }
    this.#setStatus(status);
    if (this.#opened) {
      this.disposeIfUnused();
    }
  }

  caughtUp(): void {
    if (this.#seeding === undefined || !this.isEmpty) {
      this.#resolveReady();
    }
  }

  /** The document goes with edits that were refused. Who listens gets it; another one follows with {@link replace}. */
  reject(rejection: RowRejection): void {
    if (rejection.lost === this.#doc) {
      this.#unwatch();
      this.#unwatch = () => {};
    }
    this.#rejectedEvents.emit(rejection);
  }

  tellReset(reset: RowReset): void {
    if (this.#resetEvents.isHeard) {
      this.#resetEvents.emit(reset);
    } else if (reset.unsent !== undefined) {
      // Whoever listens for lost edits only hears of these too.
      this.#rejectedEvents.emit({ code: reset.code, message: reset.message, lost: reset.document });
    }
  }

  replace(doc: LoroDoc): void {
    this.#presence?.store.delete(this.presenceId);
    this.#unwatch();
    this.#doc = doc;
    this.#unwatch = this.#watch(doc);
    this.#replacedEvents.emit(doc);
  }

  /** Ends the row whoever still uses it. */
  dispose(): void {
    if (this.#disposed) {
      return;
    }
    this.#disposed = true;
    this.#presence?.leave();
    this.#courier?.leave();
    this.#presence?.destroy();
    this.#unwatch();
    this.#setStatus({ kind: "offline" });
    this.#rejectReady(new CorellaError("row_closed", `The row ${this.entity}/${this.id} was closed before it was loaded.`));
    for (const events of [this.#statusEvents, this.#savedEvents, this.#changeEvents, this.#presenceEvents, this.#rejectedEvents, this.#resetEvents, this.#replacedEvents]) {
      events.clear();
    }
    this.#context.disposed(this);
  }

  /** Waits with leaving until the last edits are durable, or safe in storage with a tab that sends them. */
  disposeIfUnused(): void {
    if (this.#users > 0 || this.#followers.size > 0 || this.#disposed) {
      return;
    }
    if (!this.#loaded) {
      // Nothing was written, so nothing is waited for.
      if (this.store.isSaved) {
        this.dispose();
      }
      return;
    }
    const isCarried = this.#context.leads && this.#courier?.sync.phase !== "shut_out";
    if (this.store.isSaved && !(isCarried && this.hasUnsent)) {
      this.dispose();
    }
  }

  async #load(): Promise<void> {
    let isKept = false;
    try {
      isKept = await this.store.load(this.#doc);
    } catch {
      // The server has it, and the storage's own status tells what ails it.
    }
    if (this.#disposed) {
      return;
    }
    this.#loaded = true;
    if (isKept) {
      this.#resolveReady();
    }
    this.#context.loaded(this);
  }

  /** A container that is made now is made in a commit of its own: undo must not take it away from under everybody. */
  #created<Container>(field: string, ensure: () => Container): Container {
    if (this.fields.get(field) !== undefined) {
      return ensure();
    }
    this.#doc.commit();
    const container = ensure();
    this.#doc.commit({ origin: CREATION_ORIGIN });
    return container;
  }

  #watch(doc: LoroDoc): Unsubscribe {
    const stops = [
      doc.subscribe((batch) => this.#changeEvents.emit(toRowChange(batch))),
      doc.subscribeLocalUpdates((update) => this.#edited(update)),
    ];
    return () => stops.forEach((stop) => stop());
  }

  #edited(update: Uint8Array): void {
    this.store.appendOwn(update, this.#isFilling);
    this.#context.post({ type: "update", row: this.key, update, origin: this.#isFilling ? "seed" : "device" });
    this.#sendEdits(this.#isFilling);
  }

  #sendEdits(isSeed: boolean): void {
    if (isSeed) {
      this.#courier?.sync.seeded(fromReach(this.store.seed));
    }
    this.#courier?.sync.edited();
  }

  #tellFollowers(updates: readonly Uint8Array[], origin: "device" | "server"): void {
    if (this.#followers.size > 0) {
      for (const update of updates) {
        this.#context.post({ type: "update", row: this.key, update, origin } satisfies TabWords);
      }
    }
  }

  #savedChanged(): void {
    if (!this.#disposed) {
      this.#savedEvents.emit(this.saved);
      if (this.#opened) {
        this.disposeIfUnused();
      }
    }
  }

  #currentStatus(): RowStatus {
    return statusOf(this.#courier?.sync, this.#context.connection);
  }

  #setStatus(status: RowStatus): void {
    const before = this.#status;
    this.#status = status;
    if (JSON.stringify(before) !== JSON.stringify(status)) {
      this.#statusEvents.emit(status);
    }
  }
}


/** What an application's own function throws belongs on its console. */
function throwLater(error: unknown): void {
  setTimeout(() => {
    throw error;
  }, 0);
}

/** The rows of one tab: the open ones, those that other tabs have open, and those that still have something to send. */

import { LoroDoc, type PeerID } from "loro-crdt";

import type { ClientStatus } from "../public/types.js";
import { Row } from "../row/row.js";
import type { RowContext } from "../row/row-context.js";
import type { Keeper } from "../storage/keeper.js";
import type { RowKey } from "../storage/port.js";
import type { TabId, TabMessage, TabWords } from "../tabs/messages.js";
import { FollowerCourier } from "./follower-courier.js";
import { ServerCourier, type ServerCourierOwner } from "./server-courier.js";
import type { Uplink } from "./uplink.js";

export interface RowsOwner extends ServerCourierOwner {
  readonly connection: ClientStatus;
  exclusively(name: string, work: () => Promise<void>): Promise<void>;
  /** A row has gone, or has nothing more to send. */
  changed(): void;
}

/** Who carries the rows: this tab, another one, or nobody yet. */
export type Carrier = { readonly kind: "uplink"; readonly uplink: Uplink } | { readonly kind: "leader" } | { readonly kind: "nobody" };

export class Rows implements RowContext {
  readonly keeper: Keeper;
  readonly #owner: RowsOwner;
  /**
   * The peer id under which the first document of each row writes. A server binds it to its user with the first edit, and keeps a
   * line for it: one for a session instead of one for each document.
   */
  readonly #peer: PeerID | undefined;
  readonly #begun = new Set<RowKey>();
  readonly #rows = new Map<RowKey, Row>();
  readonly #couriers = new Map<Row, ServerCourier | FollowerCourier>();
  #carrier: Carrier = { kind: "nobody" };

  /** @param isOneUsers `false` where users may change: then each document has a peer id of its own. */
  constructor(keeper: Keeper, isOneUsers: boolean, owner: RowsOwner) {
    this.keeper = keeper;
    this.#peer = isOneUsers ? new LoroDoc().peerIdStr : undefined;
    this.#owner = owner;
  }

  get connection(): ClientStatus {
    return this.#owner.connection;
  }

  get leads(): boolean {
    return this.#carrier.kind === "uplink";
  }

  begins(key: RowKey, doc: LoroDoc): void {
    // What a row's first document wrote may not be in a later one, and two operations must never have one name.
    if (this.#peer !== undefined && !this.#begun.has(key)) {
      this.#begun.add(key);
      doc.setPeerId(this.#peer);
    }
  }

  get open(): ReadonlyMap<RowKey, Row> {
    return this.#rows;
  }

  post(words: TabWords): void {
    this.#owner.post(words);
  }

  exclusively(name: string, work: () => Promise<void>): Promise<void> {
    return this.#owner.exclusively(name, work);
  }

  /** The row, which is opened if it is not open. */
  ensure(key: RowKey): Row {
    const known = this.#rows.get(key);
    if (known !== undefined) {
      return known;
    }
    const row = new Row(key, this);
    this.#rows.set(key, row);
    return row;
  }

  carryWith(carrier: Carrier): void {
    this.#carrier = carrier;
    for (const row of [...this.#rows.values()]) {
      this.#carry(row);
    }
  }

  loaded(row: Row): void {
    this.#carry(row);
  }

  disposed(row: Row): void {
    this.#couriers.delete(row);
    if (this.#rows.get(row.key) === row) {
      this.#rows.delete(row.key);
    }
    this.#owner.changed();
  }

  connectionChanged(): void {
    for (const row of [...this.#rows.values()]) {
      row.report();
    }
  }

  /** The leader has gone or has come: nothing that it said of rows holds any more. */
  leaderless(): void {
    for (const courier of this.#couriers.values()) {
      if (courier instanceof FollowerCourier) {
        courier.sync.leaderless();
      }
    }
  }

  /** Another leader: it hears what is open here. */
  reopen(): void {
    for (const courier of this.#couriers.values()) {
      courier.reopen();
    }
  }

  heard(message: Extract<TabMessage, { readonly row: RowKey }>): void {
    const row = this.#rows.get(message.row);
    switch (message.type) {
      case "open":
        if (this.leads) {
          void this.#opened(message);
        }
        return;
      case "close":
        row?.unfollow(message.from);
        return;
      case "update":
        row?.take(message.update, message.origin);
        return;
      case "presence":
        row?.hearPresence(message.update, message.from);
        return;
      case "opened":
      case "state":
      case "rejected":
      case "replaced": {
        const courier = row && this.#couriers.get(row);
        if (courier instanceof FollowerCourier) {
          courier.hear(message);
        }
      }
    }
  }

  gone(tab: TabId): void {
    for (const row of [...this.#rows.values()]) {
      if (row.followers.has(tab)) {
        row.unfollow(tab);
      }
    }
  }

  close(): void {
    for (const row of [...this.#rows.values()]) {
      row.dispose();
    }
  }

  #carry(row: Row): void {
    if (!row.isLoaded) {
      return;
    }
    const courier = this.#courierFor(row);
    if (courier === undefined) {
      this.#couriers.delete(row);
    } else {
      this.#couriers.set(row, courier);
    }
    row.carry(courier);
  }

  #courierFor(row: Row): ServerCourier | FollowerCourier | undefined {
    switch (this.#carrier.kind) {
      case "uplink":
        return new ServerCourier(row, this.#carrier.uplink, this.#owner);
      case "leader":
        return new FollowerCourier(row, (words) => this.post(words));
      case "nobody":
        return undefined;
    }
  }

  /** Another tab opens a row: it gets what it lacks, and hears how the row stands from now on. */
  async #opened({ row: key, from, version, presence }: Extract<TabMessage, { type: "open" }>): Promise<void> {
    const row = this.ensure(key);
    row.follow(from);
    for (const update of presence) {
      row.hearPresence(update, from);
    }
    await row.loaded;
    const courier = this.#couriers.get(row);
    if (!(courier instanceof ServerCourier) || !row.followers.has(from)) {
      return;
    }
    this.post({ type: "opened", to: from, row: key, ...row.lackOf(version), presence: row.presenceState() });
    courier.tellState();
  }
}

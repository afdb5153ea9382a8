/** What a row has from its client. */

import type { LoroDoc } from "loro-crdt";

import type { ClientStatus } from "../public/types.js";
import type { Keeper } from "../storage/keeper.js";
import type { RowKey } from "../storage/port.js";
import type { TabWords } from "../tabs/messages.js";
import type { RowPresence } from "./presence.js";
import type { Row } from "./row.js";
import type { RowSync } from "./row-sync.js";

export interface RowContext {
  readonly keeper: Keeper;
  readonly connection: ClientStatus;
  /** Whether this tab holds the connection. */
  readonly leads: boolean;
  /** A row begins with this document, which may be given another peer id. */
  begins(key: RowKey, doc: LoroDoc): void;
  /** Tells the other tabs. */
  post(words: TabWords): void;
  /** The row is read from storage, and wants to be carried. */
  loaded(row: Row): void;
  disposed(row: Row): void;
  /** Does this while no other tab does something under the same name. */
  exclusively(name: string, work: () => Promise<void>): Promise<void>;
}

/** The way from a row to the server: over this tab's connection, or over the tab that has one. */
export interface RowCourier {
  readonly sync: RowSync;
  start(presence: RowPresence | undefined): void;
  startPresence(presence: RowPresence): void;
  sendPresence(update: Uint8Array): void;
  /** Something that this row got from another tab does not fit: ask for what is missing. */
  reopen(): void;
  leave(): void;
  detach(): void;
}

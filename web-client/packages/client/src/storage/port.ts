/** What this client asks of a place that keeps things: the port behind which IndexedDB, memory, or yours stands. */

import type { Value } from "loro-crdt";

import type { Fields } from "../public/types.js";

declare const rowKeyBrand: unique symbol;

/** `Entity/rowid`: one row of one server and user. */
export type RowKey = string & { readonly [rowKeyBrand]: true };

/** The key of the row `id` of an entity. */
export function rowKey(entity: string, id: string): RowKey {
  return `${entity}/${id}` as RowKey;
}

/** How far each peer's operations go: the peer's id, and the counter behind its last operation. */
export type Reach = Readonly<Record<string, number>>;

/** A row's document as it lies in storage. */
export interface StoredRow {
  /** Loro blobs, snapshots and updates, which together are the document. */
  readonly parts: readonly Uint8Array[];
  /** Operations made on this device that the server has not confirmed as durable. */
  readonly unsent: Reach;
  /** The server's epoch when the row was last in step with it. */
  readonly epoch: string | undefined;
  /** What of the unsent operations fills the document, and is void if somebody else has filled it. */
  readonly seed: Reach;
}

export interface KeptRow extends StoredRow {
  readonly key: RowKey;
  /** Another one after each change of the document. */
  readonly stamp: number;
}

/** What a list shows of a row: its document as plain data. */
export interface RowView {
  readonly fields: Readonly<Record<string, Value>>;
  readonly deleted: boolean;
}

/** A row as a list needs it. */
export interface ListedRow {
  readonly key: RowKey;
  readonly hasUnsent: boolean;
  /** `undefined` when the document has changed since there was one. */
  readonly view: RowView | undefined;
}

/** What a row takes up, and whether it may go. */
export interface RowSummary {
  readonly key: RowKey;
  /** Of its document and of its view. */
  readonly byteCount: number;
  readonly hasUnsent: boolean;
  /** When somebody last opened it, in milliseconds since 1970. */
  readonly usedAt: number;
}

/** What a mutation does to its row. */
export type MutationOperation = "insert" | "patch" | "delete" | "restore";

/** One change of one row as JSON, on its way to the server. */
export interface StoredMutation {
  /** Its idempotency key, which is also its name here. */
  readonly key: string;
  readonly entity: string;
  readonly id: string;
  readonly operation: MutationOperation;
  readonly fields: Fields | undefined;
}

/** A mutation in its place of the queue. */
export interface QueuedEntry {
  /** Grows with each entry; never used twice. */
  readonly place: number;
  readonly mutation: StoredMutation;
}

/** Work that the server refused for good, kept until the application releases it. */
export interface StoredRejection {
  readonly id: string;
  readonly code: string;
  readonly message: string;
  /** When, in milliseconds since 1970. */
  readonly at: number;
  readonly work:
    | { readonly kind: "edits"; readonly entity: string; readonly id: string; readonly snapshot: Uint8Array }
    | { readonly kind: "mutation"; readonly mutation: StoredMutation };
}

/** One step of a transaction. Steps take effect in their order. */
export type StorageWrite =
  /** Adds a blob to a row, which may come to be with it. `unsent` raises what waits for the server, peer by peer; a seed raises what fills the document as well. */
  | { readonly type: "append"; readonly key: RowKey; readonly part: Uint8Array; readonly unsent?: Reach | undefined; readonly isSeed?: boolean | undefined }
  /** The server has this much: what waited and is within `reach` waits no longer. */
  | { readonly type: "settle"; readonly key: RowKey; readonly reach: Reach; readonly epoch: string | undefined }
  /** Puts one blob in the place of all that the row had. */
  | { readonly type: "replace"; readonly key: RowKey; readonly part: Uint8Array; readonly unsent: Reach; readonly epoch: string | undefined }
  /** Keeps what lists show of the row, unless its document has another stamp by now. It goes with the next change. */
  | { readonly type: "view"; readonly key: RowKey; readonly stamp: number; readonly view: RowView; readonly byteCount: number }
  /** Somebody opens the row. Nothing happens to a row that is not kept. */
  | { readonly type: "use"; readonly key: RowKey; readonly at: number }
  | { readonly type: "remove"; readonly key: RowKey }
  /** Removes the row unless something in it waits for the server. */
  | { readonly type: "evict"; readonly key: RowKey }
  /** Adds a mutation behind all others; one whose key waits already changes nothing. */
  | { readonly type: "enqueue"; readonly mutation: StoredMutation }
  | { readonly type: "dequeue"; readonly key: string }
  | { readonly type: "quarantine"; readonly rejection: StoredRejection }
  | { readonly type: "release"; readonly id: string }
  | { readonly type: "remember"; readonly name: string; readonly value: string }
  | { readonly type: "forget"; readonly name: string };

/**
 * A durable place for one user's data of one server. Several tabs may use one at the same time.
 *
 * Implementations prove themselves with `storageAcceptance`. Every method rejects with the error of the platform,
 * whose `name` is `QuotaExceededError` when there is no room left.
 */
export interface StoragePort {
  /** The row as all finished transactions left it; `undefined` if it is not kept. */
  load(key: RowKey): Promise<StoredRow | undefined>;
  /** Those of the rows that are kept, in the order of `keys`. */
  loadEach(keys: readonly RowKey[]): Promise<readonly KeptRow[]>;
  /** The rows of one entity whose keys come after `after`, in the order of their keys, up to `limit` of them. */
  list(entity: string, after: RowKey | undefined, limit: number): Promise<readonly ListedRow[]>;
  /** All rows that have no view. */
  unviewedRows(): Promise<readonly RowKey[]>;
  /** Makes all steps durable, or none of them. */
  write(writes: readonly StorageWrite[]): Promise<void>;
  /**
   * Puts the result of `merge` in the place of a row's parts, in one transaction with reading them.
   *
   * `merge` answers at once; if it throws or returns `undefined`, nothing changes.
   */
  fold(key: RowKey, merge: (parts: readonly Uint8Array[]) => Uint8Array | undefined): Promise<void>;
  /** All rows, or those of one entity, in the order of their keys. */
  rows(entity?: string): Promise<readonly RowSummary[]>;
  /** The rows with something that waits for the server. */
  unsentRows(): Promise<readonly RowKey[]>;
  /** Up to `limit` mutations with places above `after`, in order. */
  mutations(after: number, limit: number): Promise<readonly QueuedEntry[]>;
  /** How many mutations wait. */
  mutationCount(): Promise<number>;
  /** All refused work, the oldest first. */
  rejections(): Promise<readonly StoredRejection[]>;
  /** What was remembered under the name; `undefined` if nothing was. */
  recall(name: string): Promise<string | undefined>;
  /** Lets go of the place. What was written stays. */
  close(): void;
}

/** The vocabulary of the package: what callers pass in, and what they get back. */

import type { EphemeralStore, LoroDoc, LoroList, LoroMap, LoroMovableList, LoroText, LoroTree, Value } from "loro-crdt";

import type { StoragePort } from "../storage/port.js";
import type { TabPlatform } from "../tabs/platform.js";

/** A value that JSON can carry. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** A row as the HTTP API sends it: its id, and its fields as JSON. */
export interface Row {
  readonly id: string;
  readonly [field: string]: JsonValue;
}

/** Undoes a registration. Calling it twice does nothing more. */
export type Unsubscribe = () => void;

/** Whether the socket is open, being opened, or left closed on purpose. */
export type ClientStatus = "offline" | "connecting" | "online";

/** How an open row stands against the server. */
export type RowStatus =
  /** No connection; local edits stay in the document and leave at the next connection. */
  | { readonly kind: "offline" }
  /** The connection or the room is being opened. */
  | { readonly kind: "connecting" }
  /** Every local edit is durable on the server. */
  | { readonly kind: "synced" }
  /** `count` batches were sent, or are about to be, and are not yet acknowledged as durable. */
  | { readonly kind: "pending"; readonly count: number }
  /**
   * The server refused the room, or an edit whose document is being fetched anew. `code` is stable, `message` is for people.
   * Where the reason may pass, such as a full disk, the row goes on trying.
   */
  | { readonly kind: "refused"; readonly code: string; readonly message: string };

/** Whether what was written here would survive the end of this page. */
export type StorageStatus =
  | { readonly kind: "saved" }
  /** On its way into storage. */
  | { readonly kind: "saving" }
  /** Storage takes nothing: all is kept in memory, and tried again. `storage_full` means that there is no room left. */
  | { readonly kind: "failing"; readonly code: "storage_full" | "storage_failed"; readonly message: string };

/** How everything of this client stands, for one line of an application's page. */
export interface SyncStatus {
  readonly connection: ClientStatus;
  readonly storage: StorageStatus;
  /** Rows with edits that the server has not confirmed, open or not. */
  readonly unsentRows: number;
  /** Mutations that the server has not answered. */
  readonly unsentMutations: number;
}

/** One change of one row as JSON. `id` may be left out of an insert: it is minted here. */
export type Mutation =
  | { readonly entity: string; readonly operation: "insert"; readonly id?: string; readonly fields: Fields }
  | { readonly entity: string; readonly operation: "patch"; readonly id: string; readonly fields: Fields }
  | { readonly entity: string; readonly operation: "delete" | "restore"; readonly id: string };

/** What the server made of a mutation. */
export interface MutationResult {
  readonly id: string;
  /** The row after the change; `null` when it was deleted. */
  readonly row: Row | null;
  readonly seq: number;
}

/** What became of a mutation, by the key that `mutate` gave it. */
export type MutationOutcome =
  | { readonly kind: "done"; readonly key: string; readonly result: MutationResult }
  | { readonly kind: "refused"; readonly key: string; readonly code: string; readonly message: string };

/** A mutation on its way. */
export interface QueuedMutation {
  /** Its idempotency key: the name under which `onSettled` tells its end, also after a reload. */
  readonly key: string;
  /** The row that it changes. */
  readonly id: string;
  /** Resolves when it is in storage and will be sent whatever becomes of this page. */
  readonly saved: Promise<void>;
  /** The server's answer. Rejects with a `CorellaError` if it is refused for good, or the client is closed before. */
  readonly result: Promise<MutationResult>;
}

/** Work that the server refused for good, kept until it is dismissed. */
export interface Rejection {
  readonly id: string;
  readonly code: string;
  readonly message: string;
  readonly at: Date;
  readonly work:
    /** `lost` is the document with the refused edits. */
    | { readonly kind: "edits"; readonly entity: string; readonly id: string; readonly lost: LoroDoc }
    | { readonly kind: "mutation"; readonly key: string; readonly mutation: Mutation };
}

/** How a row is opened. */
export interface RowOptions {
  /**
   * Fills the document if nobody has written to it: once among all clients and tabs, whether the server can be reached or not.
   * {@link RowHandle.ready} waits for it.
   *
   * What it makes shows at once. Where somebody else turns out to have been first, it gives way to what is there
   * (`onReplaced`), and what was written on top of it is made again or, where it has no place, handed over by `onRejected`.
   */
  readonly seed?: (row: RowHandle) => void;
}

/** Which of the rows on this device. */
export interface LocalPage {
  /** The id of the last row of the page before. */
  readonly after?: string;
  readonly limit?: number;
}

/** A row as this device has it. */
export interface LocalRow {
  readonly id: string;
  /** Its fields as JSON. */
  readonly fields: Readonly<Record<string, Value>>;
  readonly deleted: boolean;
  /** Whether it has edits that the server has not confirmed. */
  readonly unsent: boolean;
}

/** What happened to a row's document, from whichever side. */
export interface RowChange {
  /** `local` for this client's own commits, `remote` for what arrived from the server. */
  readonly by: "local" | "remote";
  /** The top-level fields of `row` that changed, without repetition. */
  readonly fields: readonly string[];
}

/** Edits that the server refused for good. */
export interface RowRejection {
  readonly code: string;
  readonly message: string;
  /** The document with the refused edits, which the handle no longer keeps in step. Nothing else has them. */
  readonly lost: LoroDoc;
}

/** What a document has that the server has not, and cannot take any more. */
export interface RowUnsent {
  /** The fields that differ because of it, each with the value in the document; `undefined` where it was removed. */
  readonly fields: Readonly<Record<string, Value | undefined>>;
}

/** The server no longer keeps the history that this client's copy builds on: the row was loaded afresh. */
export interface RowReset {
  readonly code: string;
  readonly message: string;
  /** The copy that was set aside, with all that it had. The handle no longer keeps it in step. */
  readonly document: LoroDoc;
  /** What of it the server never got; `undefined` when it got everything. */
  readonly unsent: RowUnsent | undefined;
}

/** One row, open and live: its document, its presence, its state against the server. */
export interface RowHandle {
  readonly entity: string;
  readonly id: string;
  /** The document. It is another object after a `replaced` event. */
  readonly doc: LoroDoc;
  /** The root map `row`, which holds the fields. */
  readonly fields: LoroMap;
  /** Who else is here. Write under {@link presenceId}; other keys belong to others. */
  readonly presence: EphemeralStore;
  /** This client's own key in {@link presence}: the peer id of its document. */
  readonly presenceId: string;
  readonly status: RowStatus;
  /** Whether everything written here is in this device's storage, and survives the end of the page. */
  readonly saved: boolean;
  /**
   * Resolves when there is something to show: the row as this device keeps it or, where it does not, the server's state.
   * Rejects if the room is refused or the row closed before.
   */
  readonly ready: Promise<void>;

  /**
   * The mergeable text under a field. Two clients that create it at once keep both their texts.
   *
   * Asking for it creates it where it is missing: wait for {@link ready} before, unless the row is new.
   */
  text(field: string): LoroText;
  /** The mergeable map under a field: of a `map` field, or of an editor's node tree. Created where it is missing, as with {@link text}. */
  map(field: string): LoroMap;
  /** The mergeable list under a `list` field. Created where it is missing, as with {@link text}. */
  list(field: string): LoroList;
  /** The mergeable list under a `movable-list` field. Created where it is missing, as with {@link text}. */
  movableList(field: string): LoroMovableList;
  /** The mergeable tree under a `tree` field. Created where it is missing, as with {@link text}. */
  tree(field: string): LoroTree;
  /** What a `counter` field stands at: the sum of what everybody has added. 0 when nobody has. */
  count(field: string): number;
  /** Adds to a `counter` field and commits. Increments of others at the same time add up. Throws where the total would no longer be exact. */
  increment(field: string, by?: number): void;
  /** A field's plain value: text as a string, containers as JSON. `undefined` when absent. */
  get(field: string): Value | undefined;
  /** Sets a plain (last-writer-wins) field and commits. */
  set(field: string, value: Value): void;

  /** Calls back when {@link status} is another. */
  onStatus(listener: (status: RowStatus) => void): Unsubscribe;
  /** Calls back when {@link saved} is another. */
  onSaved(listener: (saved: boolean) => void): Unsubscribe;
  /** Calls back after each commit, of this client or of others, with the fields that it changed. */
  onChange(listener: (change: RowChange) => void): Unsubscribe;
  /** Calls back when somebody comes, moves or goes, with what all say of themselves. */
  onPresence(listener: (states: Readonly<Record<string, Value>>) => void): Unsubscribe;
  /** Refused edits, before the document is replaced. */
  onRejected(listener: (rejection: RowRejection) => void): Unsubscribe;
  /**
   * The copy was too old for the server, and the row has been loaded afresh: write again what `unsent` names, if it is
   * still wanted. It is told after `onReplaced`. Where nobody listens, unsent edits are told by {@link onRejected}.
   */
  onReset(listener: (reset: RowReset) => void): Unsubscribe;
  /** The handle now has another document: editors bind again. */
  onReplaced(listener: (doc: LoroDoc) => void): Unsubscribe;

  /**
   * Gives this use of the row back, once for each `client.row`.
   *
   * The room is left when the last user has closed it and every edit is durable. Edits made offline stay in storage, and are
   * sent at the next connection whether the row is open or not.
   */
  close(): void;
}

/** One sort key: a field and its direction. */
export type OrderBy = Readonly<Record<string, "asc" | "desc">>;

/** Which rows, and how many of them. */
export interface ListQuery {
  readonly where?: JsonValue;
  /** Words that the rows have in the texts that the manifest lets be searched. The best come first, unless `orderBy` says otherwise. */
  readonly match?: string;
  readonly orderBy?: OrderBy | readonly OrderBy[];
  readonly limit?: number;
  readonly cursor?: string;
}

/** Rows that match. */
export interface ListResult {
  readonly rows: readonly Row[];
  /** Present when there is more: pass it to the next `list`. */
  readonly cursor?: string;
  /** The server's sequence number at which this list was true. */
  readonly seq: number;
}

/** How a row is made. */
export interface CreateOptions {
  readonly id?: string;
  /** Repeating a request with the same key repeats its answer, not its effect. */
  readonly idempotencyKey?: string;
}

/** How a row is changed. */
export interface WriteOptions {
  readonly idempotencyKey?: string;
}

/** A row after a change. */
export interface WriteResult {
  readonly id: string;
  readonly row: Row;
  readonly seq: number;
}

/** Fields as JSON, by their names. */
export type Fields = Readonly<Record<string, JsonValue>>;

/** Whose client it is, of which server, and what it keeps where. */
export interface CorellaClientOptions {
  /** The server's address: `http://localhost:4400`. `https` leads to `wss`. */
  readonly url: string;
  /**
   * Asked at every connection, shortly before a JSON web token ends, and when the server says that a token is no longer
   * good: then with that token as `refused`, so that a function with a memory fetches another one.
   */
  readonly token?: (refused?: string) => Promise<string | undefined> | string | undefined;
  /** Where the platform has no WebSocket of its own (Node 20): the class of the `ws` package. */
  readonly WebSocket?: typeof WebSocket;
  /** The platform's own `fetch`, unless you say otherwise. */
  readonly fetch?: typeof fetch;
  /**
   * Who is signed in, as the server knows the user. With it, everything is kept on this device, for this user alone, and the
   * user's tabs share one connection; without it, everything is kept in memory.
   */
  readonly user?: string;
  /** Another place to keep things in than IndexedDB, such as one of your own that passes `storageAcceptance`. */
  readonly storage?: StoragePort;
  /** Rows that are neither open nor unsent make room for others above so many bytes: 256 MiB unless you say otherwise. */
  readonly storageBytes?: number;
  /** What `corella codegen ts` has made: the server refuses an app that its schema has left behind, before it writes anything. */
  readonly schema?: { readonly fingerprint: string };
  /** How tabs find each other. `"alone"` gives every tab a connection of its own. */
  readonly tabs?: TabPlatform | "alone";
}

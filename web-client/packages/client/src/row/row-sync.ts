/** Whoever keeps a row's document in step: with the server itself, or with the tab that does. */

import type { VersionVector } from "loro-crdt";

import type { RefusalDetail } from "./room.js";

/** Where the row's room stands. */
export type Phase =
  /** No connection. */
  | "away"
  /** The join was sent or waits to be sent. */
  | "joining"
  /** Inside, and still without some of what the server has. */
  | "catching_up"
  | "live"
  /** The server does not let us in. */
  | "shut_out";

/** The same in every tab, whichever holds the connection. */
export interface RowSync {
  readonly phase: Phase;
  readonly refusal: RefusalDetail | undefined;
  /** Batches that were sent, or wait to be, and are not confirmed as durable. */
  readonly unconfirmedCount: number;
  /** Whether the document may hold something that the server has not confirmed. */
  readonly hasUnsavedEdits: boolean;
  /** The document, which was empty, was filled on this device. {@link edited} follows. */
  seeded(seed: VersionVector): void;
  /** The document was edited on this device. */
  edited(): void;
  /** Leaves the room for good. */
  leave(): void;
  /** Stops without a word: another one takes over. */
  detach(): void;
}

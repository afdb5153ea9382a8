/** What the router of frames and the rooms know of each other. */

import type { Credentials } from "../net/credentials.js";
import type { ClientStatus } from "../public/types.js";
import type { BatchId, ClientFrame, Payload, RoomAddress } from "../wire/index.js";

/** The connection as a room sees it. */
export interface Link {
  readonly status: ClientStatus;
  readonly credentials: Credentials;
  /** The server's epoch, once it is known: another one after a restore. */
  readonly epoch: string | undefined;
  /** Sends, or does nothing when the socket is not open: the next join makes it good. */
  send(frame: ClientFrame): void;
  /** A control message, in its order among the frames. */
  sendText(text: string): void;
}

/** A code and words for it, from a control message that goes before a refusal. */
export interface RefusalDetail {
  readonly code: string;
  readonly message: string;
  /** How long the server wants to be left alone with this. */
  readonly retryAfterMilliseconds?: number;
}

/** One room on the connection, as the router sees it. */
export interface Room {
  readonly address: RoomAddress;
  /** The socket is open. */
  connected(): void;
  /** It is known now which epoch the server is in. */
  epochLearned(): void;
  /** The socket is gone; `refusal` when the server wants us to stay away. */
  disconnected(refusal: RefusalDetail | undefined): void;
  /** A frame for this room. Fragments come as one `update`. */
  receive(payload: Payload): void;
  /** A batch from the server stayed incomplete. */
  batchLost(): void;
  /** Words for a refusal that comes next. */
  explain(detail: RefusalDetail, batch: BatchId | undefined): void;
}

/** The vocabulary of live queries. */

import type { JsonValue, OrderBy, Row, Unsubscribe } from "../public/types.js";

/** A query as the server understands it; `docs/protocol.md` has its operators. */
export interface Query {
  /** The entity. */
  readonly from: string;
  readonly where?: JsonValue;
  /** Words that the rows have in the texts that the manifest lets be searched; `docs/queries.md` says what they mean. */
  readonly match?: string;
  readonly orderBy?: string | OrderBy | readonly OrderBy[];
  readonly limit?: number;
  /** From the answer to the page before. */
  readonly cursor?: string;
  /** The fields that are wanted; all of them, where it is left out. */
  readonly select?: readonly string[];
  /** What the rows bring with them: names of relations, or what is asked of the rows of each. */
  readonly include?: JsonValue;
  /** Whatever else a server of a later version takes. */
  readonly [part: string]: unknown;
}

/** How a live query stands. */
export type LiveStatus =
  /** Nothing is known yet. */
  | { readonly kind: "loading" }
  /** The rows are the server's answer, and stay it. */
  | { readonly kind: "live" }
  /** The rows are the answer as it was when there was last a connection, on this page or on an earlier one. */
  | { readonly kind: "stale" }
  /** The server does not answer this query. */
  | { readonly kind: "refused"; readonly code: string; readonly message: string };

/** What became of an answer in one commit. */
export interface LiveChange {
  /** Rows that are new, have changed or have moved, as they are now. */
  readonly upserted: readonly Row[];
  readonly removed: readonly string[];
  /** The answer came whole, in the place of what was known. */
  readonly isWhole: boolean;
}

/** The answer to a query, kept true by the server. */
export interface LiveQuery {
  readonly query: Query;
  /** In their order. Another array after each change; rows that did not change stay the same objects. */
  readonly rows: readonly Row[];
  readonly status: LiveStatus;
  /** The last change that the answer has in it. */
  readonly seq: number;
  /** Which answers {@link seq} can be compared with: those of the same epoch. */
  readonly epoch: string | undefined;
  /** Where the next page starts, if there is one. */
  readonly cursor: string | undefined;
  /** Resolves when there is an answer, of the server or kept on this device. Rejects when the query is refused before. */
  readonly ready: Promise<void>;
  /** Rows or status changed; `change` is `undefined` when it is the status alone. */
  onChange(listener: (change: LiveChange | undefined) => void): Unsubscribe;
  /** Resolves when the answer has this change in it, such as the `seq` of a mutation's result. */
  reached(seq: number): Promise<void>;
  /** Gives this use of the query back. */
  close(): void;
}

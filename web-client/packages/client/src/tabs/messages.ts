/** What the tabs of one user at one server say to each other. */

import type { ClientStatus, MutationOutcome } from "../public/types.js";
import type { Phase } from "../row/row-sync.js";
import type { Reach, RowKey, StoredMutation, StoredRejection } from "../storage/port.js";

export type TabId = string;

export type TabMessage = { readonly from: TabId } & TabWords;

export type TabWords =
  /** A tab has come; whoever holds the connection says how it stands. */
  | { readonly type: "hello" }
  /** The tab that holds the connection, and how it stands: said when it takes over and at each change. */
  | { readonly type: "leader"; readonly status: ClientStatus; readonly offline: boolean }
  /** A tab opens a row, or has it open when a leader takes over. */
  | { readonly type: "open"; readonly row: RowKey; readonly version: Uint8Array; readonly presence: readonly Uint8Array[] }
  | { readonly type: "close"; readonly row: RowKey }
  /** The leader's answer to `open`: what the tab lacks, and what the leader has. */
  | { readonly type: "opened"; readonly to: TabId; readonly row: RowKey; readonly update: Uint8Array; readonly version: Uint8Array; readonly presence: Uint8Array | undefined }
  /** Operations that are new to the others: edits of this tab, what it filled an empty document with, or what the leader got from the server. */
  | { readonly type: "update"; readonly row: RowKey; readonly update: Uint8Array; readonly origin: "device" | "seed" | "server" }
  /** The leader's view of a row. */
  | { readonly type: "state"; readonly row: RowKey; readonly phase: Phase; readonly refusal: { readonly code: string; readonly message: string } | undefined; readonly durable: Reach; readonly epoch: string | undefined; readonly unconfirmed: number }
  /** The server refused edits for good; another document follows. */
  | { readonly type: "rejected"; readonly row: RowKey; readonly code: string; readonly message: string }
  /** What a tab has within `dealtWith` is in the snapshot in another form, or was handed over. */
  | { readonly type: "replaced"; readonly row: RowKey; readonly snapshot: Uint8Array; readonly dealtWith: Uint8Array | undefined }
  | { readonly type: "presence"; readonly row: RowKey; readonly update: Uint8Array }
  /** A mutation waits in the store. */
  | { readonly type: "stored" }
  /** A mutation that the store did not take. */
  | { readonly type: "queued"; readonly mutation: StoredMutation }
  | { readonly type: "settled"; readonly outcome: MutationOutcome }
  /** Work was refused for good, and is kept. */
  | { readonly type: "rejected_work"; readonly rejection: StoredRejection }
  /** The list of refused work has become shorter. */
  | { readonly type: "rejections" }
  /** The application's switch. */
  | { readonly type: "switch"; readonly offline: boolean }
  /** Words of a part of the client that pages load when they use it. */
  | { readonly type: "extension"; readonly words: Readonly<Record<string, unknown>> }
  /** Somebody looks at this tab: now is a good time to connect. */
  | { readonly type: "wake" };

type Kind = "text" | "bytes" | "flag" | "object" | "list" | "count" | "maybe";

const SHAPES: { readonly [Type in TabWords["type"]]: Readonly<Record<string, Kind>> } = {
  hello: {},
  leader: { status: "text", offline: "flag" },
  open: { row: "text", version: "bytes", presence: "list" },
  close: { row: "text" },
  opened: { to: "text", row: "text", update: "bytes", version: "bytes", presence: "maybe" },
  update: { row: "text", update: "bytes", origin: "text" },
  state: { row: "text", phase: "text", refusal: "maybe", durable: "object", epoch: "maybe", unconfirmed: "count" },
  rejected: { row: "text", code: "text", message: "text" },
  replaced: { row: "text", snapshot: "bytes", dealtWith: "maybe" },
  presence: { row: "text", update: "bytes" },
  stored: {},
  queued: { mutation: "object" },
  settled: { outcome: "object" },
  rejected_work: { rejection: "object" },
  rejections: {},
  switch: { offline: "flag" },
  extension: { words: "object" },
  wake: {},
};

const CHECKS: { readonly [Name in Kind]: (value: unknown) => boolean } = {
  text: (value) => typeof value === "string",
  bytes: (value) => value instanceof Uint8Array,
  flag: (value) => typeof value === "boolean",
  count: (value) => typeof value === "number",
  object: (value) => typeof value === "object" && value !== null,
  list: (value) => Array.isArray(value),
  maybe: () => true,
};

/** Reads what another tab posted; `undefined` for what no tab of this version says. */
export function parseTabMessage(value: unknown): TabMessage | undefined {
  if (typeof value !== "object" || value === null) {
    return undefined;
  }
  const message = value as Readonly<Record<string, unknown>>;
  const { from, type } = message;
  if (typeof from !== "string" || typeof type !== "string" || !Object.hasOwn(SHAPES, type)) {
    return undefined;
  }
  const shape = Object.entries(SHAPES[type as TabWords["type"]]);
  return shape.every(([key, kind]) => CHECKS[kind](message[key])) ? (value as TabMessage) : undefined;
}

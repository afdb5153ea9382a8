/** Frames of the Loro Syncing Protocol v1, as types. */

import { fromHex, toHex } from "../util/hex.js";
import { WireError } from "./error.js";

declare const batchBrand: unique symbol;

/** Names one batch of updates: eight bytes, here as sixteen lower-case hexadecimal digits. */
export type BatchId = string & { readonly [batchBrand]: true };

/** The kind of replica that a room holds. */
export type Magic = "%LOR" | "%EPH" | "%EPS";

/** A room is known by its kind and its name together. */
export interface RoomAddress {
  readonly magic: Magic;
  readonly room: string;
}

/** A key for maps of rooms. */
export function roomKey(address: RoomAddress): string {
  return address.magic + address.room;
}

export type Permission = "read" | "write";

/** Why a join was refused. */
export type JoinFailure =
  | { readonly kind: "unknown" }
  | { readonly kind: "version_unknown"; readonly version: Uint8Array | undefined }
  | { readonly kind: "auth_failed" }
  | { readonly kind: "application"; readonly code: string | undefined };

export type RoomFailure = "rejoin_suggested" | "evicted" | "unknown";

/** What became of a batch. */
export type AckStatus =
  | "ok"
  | "unknown"
  | "permission_denied"
  | "invalid_update"
  | "too_large"
  | "rate_limited"
  | "fragment_timeout"
  | "application";

/** A frame's content, without its address. */
export type Payload =
  | { readonly type: "join"; readonly auth: Uint8Array; readonly version: Uint8Array }
  | { readonly type: "joined"; readonly permission: Permission; readonly version: Uint8Array; readonly extra: Uint8Array }
  | { readonly type: "join_error"; readonly failure: JoinFailure; readonly message: string }
  | { readonly type: "update"; readonly updates: readonly Uint8Array[]; readonly batch: BatchId }
  | { readonly type: "fragment_header"; readonly batch: BatchId; readonly count: number; readonly totalBytes: number }
  | { readonly type: "fragment"; readonly batch: BatchId; readonly index: number; readonly chunk: Uint8Array }
  | { readonly type: "room_error"; readonly failure: RoomFailure; readonly message: string }
  | { readonly type: "leave" }
  | { readonly type: "ack"; readonly batch: BatchId; readonly status: AckStatus };

export type Frame = RoomAddress & Payload;

/** A fresh batch id from the platform's randomness. */
export function newBatchId(): BatchId {
  return batchIdFromBytes(crypto.getRandomValues(new Uint8Array(8)));
}

export function batchIdFromBytes(bytes: Uint8Array): BatchId {
  if (bytes.length !== 8) {
    throw new WireError("malformed", `a batch id has 8 bytes, these are ${bytes.length}`);
  }
  return toHex(bytes) as BatchId;
}

/** Reads sixteen hexadecimal digits, with or without `0x` before them. */
export function parseBatchId(text: string): BatchId | undefined {
  const bytes = fromHex(text.startsWith("0x") ? text.slice(2) : text);
  return bytes?.length === 8 ? batchIdFromBytes(bytes) : undefined;
}

export function batchIdBytes(batch: BatchId): Uint8Array {
  const bytes = fromHex(batch);
  if (bytes?.length !== 8) {
    throw new WireError("malformed", `a batch id has 16 hexadecimal digits, this is "${batch}"`);
  }
  return bytes;
}

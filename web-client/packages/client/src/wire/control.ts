/** Text frames: keep-alive, and the server's control messages as JSON. */

import { parseBatchId, type BatchId } from "./frame.js";

/** A text frame from the server, as far as this client acts on it. */
export type ControlMessage =
  | { readonly type: "ping" }
  | { readonly type: "pong" }
  | { readonly type: "hello" }
  | {
      readonly type: "error";
      readonly code: string;
      readonly message: string;
      readonly room: string | undefined;
      readonly batch: BatchId | undefined;
      readonly retryAfterMilliseconds: number;
    }
  /** Anything else: a later server may say more than this client understands. */
  | { readonly type: "other" };

/** A longer pause than this is not waited for: the next attempt asks again. */
const LONGEST_RETRY_SECONDS = 60;

const OTHER: ControlMessage = { type: "other" };

/** Reads a text frame. Never throws. */
export function parseControl(text: string): ControlMessage {
  if (text === "ping" || text === "pong") {
    return { type: text };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return OTHER;
  }
  if (!isRecord(value)) {
    return OTHER;
  }
  switch (value["type"]) {
    case "hello":
      return { type: "hello" };
    case "error":
      return parseError(value);
    default:
      return OTHER;
  }
}

function parseError(value: Readonly<Record<string, unknown>>): ControlMessage {
  const { code, message, room, batch, retryAfter } = value;
  if (typeof code !== "string") {
    return OTHER;
  }
  return {
    type: "error",
    code,
    message: typeof message === "string" ? message : code,
    room: typeof room === "string" ? room : undefined,
    batch: typeof batch === "string" ? parseBatchId(batch) : undefined,
    retryAfterMilliseconds: typeof retryAfter === "number" ? Math.min(Math.max(retryAfter, 0), LONGEST_RETRY_SECONDS) * 1000 : 0,
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

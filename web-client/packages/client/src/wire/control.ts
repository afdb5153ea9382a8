/** Text frames: keep-alive, and the server's control messages as JSON. */

import { parseBatchId, type BatchId } from "./frame.js";

/** A text frame from the server, as far as this client acts on it. */
export type ControlMessage =
  | { readonly type: "ping" }
  | { readonly type: "pong" }
  /** `can` names what an earlier server could not. */
  | { readonly type: "hello"; readonly epoch: string | undefined; readonly can: readonly unknown[] | undefined }
  /** As whom the server knows this connection. */
  | { readonly type: "auth"; readonly user: string }
  /** A mutation is durable. */
  | { readonly type: "result"; readonly ref: string; readonly id: string; readonly row: Readonly<Record<string, unknown>> | null; readonly seq: number }
  | {
      readonly type: "error";
      readonly code: string;
      readonly message: string;
      readonly ref: string | undefined;
      readonly room: string | undefined;
      readonly batch: BatchId | undefined;
      readonly retryAfterMilliseconds: number;
    }
  /** Anything else: a later server may say more than this client understands. */
  | { readonly type: "other"; readonly message?: Readonly<Record<string, unknown>> };

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
      return { type: "hello", epoch: textOf(value["epoch"]), can: Array.isArray(value["can"]) ? value["can"] : undefined };
    case "auth":
      return typeof value["user"] === "string" ? { type: "auth", user: value["user"] } : OTHER;
    case "result":
      return parseResult(value);
    case "error":
      return parseError(value);
    default:
      return { type: "other", message: value };
  }
}

function parseResult({ ref, id, row, seq }: Readonly<Record<string, unknown>>): ControlMessage {
  if (typeof ref !== "string" || typeof id !== "string" || typeof seq !== "number" || !(row === null || isRecord(row))) {
    return OTHER;
  }
  return { type: "result", ref, id, row, seq };
}

function parseError(value: Readonly<Record<string, unknown>>): ControlMessage {
  const { code, message, ref, room, batch, retryAfter } = value;
  if (typeof code !== "string") {
    return OTHER;
  }
  return {
    type: "error",
    code,
    message: typeof message === "string" ? message : code,
    ref: textOf(ref),
    room: textOf(room),
    batch: typeof batch === "string" ? parseBatchId(batch) : undefined,
    retryAfterMilliseconds: typeof retryAfter === "number" ? Math.min(Math.max(retryAfter, 0), LONGEST_RETRY_SECONDS) * 1000 : 0,
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

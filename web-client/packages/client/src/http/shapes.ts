/** Checks what the HTTP API answers before anybody relies on it. */

import { CorellaError } from "../public/error.js";
import type { ListResult, Row, WriteResult } from "../public/types.js";

type Json = Readonly<Record<string, unknown>>;

export function readList(body: unknown): ListResult {
  const answer = record(body, "a list");
  const { rows, cursor, seq } = answer;
  if (!Array.isArray(rows)) {
    throw unexpected("a list", "rows");
  }
  const result = { rows: rows.map(readRow), seq: readSeq(seq) };
  return typeof cursor === "string" ? { ...result, cursor } : result;
}

/** `{id, row, seq}`. */
export function readWrite(body: unknown): WriteResult {
  const { id, row, seq } = record(body, "a row");
  if (typeof id !== "string") {
    throw unexpected("a row", "id");
  }
  return { id, row: readRow(row), seq: readSeq(seq) };
}

function readRow(value: unknown): Row {
  const row = record(value, "a row");
  if (typeof row["id"] !== "string") {
    throw unexpected("a row", "id");
  }
  return row as Row;
}

function readSeq(value: unknown): number {
  if (typeof value !== "number") {
    throw unexpected("an answer", "seq");
  }
  return value;
}

function record(value: unknown, what: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new CorellaError("unexpected_answer", `The server should answer with ${what} as a JSON object. Check the client's url.`);
  }
  return value as Json;
}

function unexpected(what: string, key: string): CorellaError {
  return new CorellaError("unexpected_answer", `The server's answer should be ${what} with "${key}". Check that server and client are of one version.`);
}

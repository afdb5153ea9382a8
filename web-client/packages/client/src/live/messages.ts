/** What the server says of live queries, read from its control messages. */

import type { Row } from "../public/types.js";
import type { Difference, PartChange, Upsert } from "./answer.js";

type Json = Readonly<Record<string, unknown>>;

export type LiveMessage =
  | { readonly type: "snapshot"; readonly ref: string; readonly seq: number; readonly epoch: string; readonly rows: readonly Row[]; readonly cursor: string | undefined }
  | { readonly type: "changes"; readonly seq: number; readonly answers: readonly (Difference & { readonly ref: string })[] }
  | { readonly type: "reached"; readonly ref: string; readonly seq: number };

/** `undefined` for what is not about live queries, or not of a shape that this client knows. */
export function readLiveMessage(message: Json): LiveMessage | undefined {
  const { type, ref, seq } = message;
  if (typeof seq !== "number") {
    return undefined;
  }
  switch (type) {
    case "snapshot": {
      const { epoch, rows, cursor } = message;
      const isWhole = typeof ref === "string" && typeof epoch === "string" && Array.isArray(rows) && rows.every(isRow);
      return isWhole ? { type, ref, seq, epoch, rows, cursor: typeof cursor === "string" ? cursor : undefined } : undefined;
    }
    case "changes": {
      const { answers } = message;
      return Array.isArray(answers) ? { type, seq, answers: answers.flatMap(readDifference) } : undefined;
    }
    case "reached":
      return typeof ref === "string" ? { type, ref, seq } : undefined;
    default:
      return undefined;
  }
}

function readDifference(value: unknown): (Difference & { readonly ref: string })[] {
  if (!isRecord(value) || typeof value["ref"] !== "string") {
    return [];
  }
  return [{ ref: value["ref"], ...readRows(value) }];
}

function readRows({ upsert, remove }: Json): Difference {
  return { upsert: Array.isArray(upsert) ? upsert.flatMap(readUpsert) : [], remove: Array.isArray(remove) ? remove.filter((id) => typeof id === "string") : [] };
}

function readParts(value: Json): Readonly<Record<string, PartChange>> {
  const parts = Object.entries(value).flatMap(([name, change]): [string, PartChange][] => {
    if (!isRecord(change)) {
      return [];
    }
    const { rows } = change;
    return [[name, Array.isArray(rows) ? { rows: rows.filter(isRow) } : readRows(change)]];
  });
  return Object.fromEntries(parts);
}

function readUpsert(value: unknown): Upsert[] {
  if (!isRecord(value) || typeof value["id"] !== "string") {
    return [];
  }
  const { id, at, row, parts } = value as { readonly id: string } & Json;
  const read = { id, at: typeof at === "number" ? at : undefined, row: isRecord(row) ? row : {} };
  return [isRecord(parts) ? { ...read, parts: readParts(parts) } : read];
}

function isRow(value: unknown): value is Row {
  return isRecord(value) && typeof value["id"] === "string";
}

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

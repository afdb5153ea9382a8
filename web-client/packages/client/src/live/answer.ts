/** One answer, and what messages make of it. */

import type { Row } from "../public/types.js";
import type { LiveChange } from "./types.js";

/** A row that is new in an answer, has changed or has moved. */
export interface Upsert {
  readonly id: string;
  /** Its place, when it is new or has moved. */
  readonly at: number | undefined;
  /** The columns that have changed; all of them when it is new. */
  readonly row: Readonly<Record<string, unknown>>;
  /** What became of the rows that it brings with it, by the name of the relation. */
  readonly parts?: Readonly<Record<string, PartChange>>;
}

/** What became of the rows that a row brings with it through one relation. */
export type PartChange =
  /** They are others now. */
  | { readonly rows: readonly Row[] }
  | Difference;

export interface Difference {
  readonly upsert: readonly Upsert[];
  readonly remove: readonly string[];
}

export interface Answer {
  readonly epoch: string;
  readonly seq: number;
  readonly rows: readonly Row[];
  readonly cursor: string | undefined;
}

/**
 * The answer after a difference: rows of `remove`, and those of `upsert` that have a place, are taken out; then these are put
 * in, one after the other. The others take the columns that are named.
 */
export function changed(answer: Answer, seq: number, { upsert, remove }: Difference): { readonly answer: Answer; readonly change: LiveChange } {
  const { rows, upserted } = differing(answer.rows, { upsert, remove });
  return { answer: { ...answer, seq, rows }, change: { upserted, removed: remove, isWhole: false } };
}

/** Rows after a difference, and those among them that it names. */
function differing(before: readonly Row[], { upsert, remove }: Difference): { readonly rows: readonly Row[]; readonly upserted: readonly Row[] } {
  const known = new Map(before.map((row) => [row.id, row]));
  const isMoved = new Set([...remove, ...upsert.flatMap(({ id, at }) => (at === undefined ? [] : [id]))]);
  const upserted = upsert.map(({ id, row, parts }) => {
    const old = known.get(id);
    const saysNothing = old !== undefined && parts === undefined && Object.keys(row).length === 0;
    return saysNothing ? old : ({ ...old, ...row, ...bringing(old, parts ?? {}), id } as Row);
  });
  const inPlace = new Map(upserted.filter(({ id }) => !isMoved.has(id)).map((row) => [row.id, row]));
  const rows = before.filter(({ id }) => !isMoved.has(id)).map((row) => inPlace.get(row.id) ?? row);
  upsert.forEach(({ at }, index) => {
    const row = upserted[index];
    if (at !== undefined && row !== undefined) {
      rows.splice(at, 0, row);
    }
  });
  return { rows, upserted };
}

/** What a row brings with it after these changes: a list, or one row, or null. */
function bringing(row: Row | undefined, parts: Readonly<Record<string, PartChange>>): Readonly<Record<string, unknown>> {
  const changedParts = Object.entries(parts).map(([name, change]) => {
    const before: unknown = row?.[name];
    const isList = Array.isArray(before);
    const known = isList ? (before as readonly Row[]) : before === null || before === undefined ? [] : [before as Row];
    const rows = "rows" in change ? change.rows : differing(known, change).rows;
    return [name, isList ? rows : (rows[0] ?? null)] as const;
  });
  return Object.fromEntries(changedParts);
}

/** What a whole answer changes in one that was there before; rows that say the same stay the same objects. */
export function replaced(before: Answer | undefined, whole: Answer): { readonly answer: Answer; readonly change: LiveChange } {
  const known = new Map(before?.rows.map((row) => [row.id, row]));
  const upserted: Row[] = [];
  const rows = whole.rows.map((row) => {
    const old = known.get(row.id);
    known.delete(row.id);
    if (old !== undefined && JSON.stringify(old) === JSON.stringify(row)) {
      return old;
    }
    upserted.push(row);
    return row;
  });
  return { answer: { ...whole, rows }, change: { upserted, removed: [...known.keys()], isWhole: true } };
}

/** What waits for the server, laid over what the server says: rows as they will be. */

import type { Fields, JsonValue } from "@corella/client";
import type { WaitingMutation } from "@corella/client/live";

/** A row as JSON, by its columns. */
type Columns = Readonly<Record<string, unknown>>;

/** The mutations of one collection's rows, each row's in their order. */
export class Overlay {
  readonly #select: ReadonlySet<string> | undefined;
  readonly #ofRows = new Map<string, WaitingMutation[]>();

  /** @param select the columns that the collection has; all of them, where it is left out. */
  constructor(select: readonly string[] | undefined) {
    this.#select = select && new Set(select);
  }

  /** Gives back the ids of the rows that it changes. */
  add(mutations: readonly WaitingMutation[]): ReadonlySet<string> {
    const ids = new Set<string>();
    for (const waiting of mutations) {
      const { id } = waiting.mutation;
      if (id !== undefined) {
        this.#ofRows.set(id, [...(this.#ofRows.get(id) ?? []), waiting]);
        ids.add(id);
      }
    }
    return ids;
  }

  /** Takes away what waits no longer, and gives back the ids of the rows that it changes. */
  end(keys: readonly string[]): ReadonlySet<string> {
    const ended = new Set(keys);
    const ids = new Set<string>();
    for (const [id, mutations] of this.#ofRows) {
      const rest = mutations.filter(({ key }) => !ended.has(key));
      if (rest.length < mutations.length) {
        ids.add(id);
        if (rest.length > 0) {
          this.#ofRows.set(id, rest);
        } else {
          this.#ofRows.delete(id);
        }
      }
    }
    return ids;
  }

  /** The row as it will be; `undefined` where there is none, or will be none. */
  over(id: string, row: Columns | undefined): Columns | undefined {
    return (this.#ofRows.get(id) ?? []).reduce<Columns | undefined>((before, { mutation }) => {
      switch (mutation.operation) {
        case "insert":
          return before ?? { id, ...this.#after({}, mutation.fields) };
        case "patch":
          return before && { ...before, ...this.#after(before, mutation.fields) };
        case "delete":
          return undefined;
        case "restore":
          // What it brings back only the server knows.
          return before;
      }
    }, row);
  }

  #after(before: Columns, fields: Fields): Columns {
    const columns = Object.entries(fields).filter(([name]) => this.#select?.has(name) ?? true);
    return Object.fromEntries(columns.map(([name, value]) => [name, isOperation(value) ? operated(before[name], value) : value]));
  }
}

/** `{"$inc": 1}` and its kin: how a field is to change. */
function isOperation(value: JsonValue): value is { readonly [operator: string]: JsonValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).some((name) => name.startsWith("$"));
}

/** Sums are foreseen; what else operations lead to shows when the server says it. */
function operated(before: unknown, { $inc: by }: { readonly [operator: string]: JsonValue }): unknown {
  return typeof by === "number" && (typeof before === "number" || before === undefined || before === null) ? (before ?? 0) + by : before;
}

/** The rows of a collection: which live queries hold each of them, and what has to be written when that changes. */

import type { Row } from "@corella/client";
import type { LiveChange, LiveQuery } from "@corella/client/live";

export type Key = string | number;

export interface HoldingsOwner<T extends object> {
  begin(): void;
  insert(value: T): void;
  update(value: T): void;
  remove(key: Key): void;
  commit(): void;
}

interface Held<T> {
  value: T;
  readonly holders: Set<LiveQuery>;
}

/** A row is in the collection for as long as one live query has it in its answer. */
export class Holdings<T extends object> {
  readonly #owner: HoldingsOwner<T>;
  readonly #keyOf: (value: T) => Key;
  readonly #rows = new Map<Key, Held<T>>();
  /** What each query holds, by the ids that its changes name. */
  readonly #keys = new Map<LiveQuery, Map<string, Key>>();

  constructor(owner: HoldingsOwner<T>, keyOf: (value: T) => Key) {
    this.#owner = owner;
    this.#keyOf = keyOf;
  }

  /** Takes all that a query has. */
  take(query: LiveQuery): void {
    this.#apply(query, query.rows, [...(this.#keys.get(query)?.keys() ?? [])].filter((id) => !query.rows.some((row) => row.id === id)));
  }

  changed(query: LiveQuery, { upserted, removed }: LiveChange): void {
    this.#apply(query, upserted, removed);
  }

  /** The query is given back: what it alone held goes. */
  release(query: LiveQuery): void {
    this.#apply(query, [], [...(this.#keys.get(query)?.keys() ?? [])]);
    this.#keys.delete(query);
  }

  #apply(query: LiveQuery, upserted: readonly Row[], removed: readonly string[]): void {
    const keys = this.#keys.get(query) ?? new Map<string, Key>();
    this.#keys.set(query, keys);
    this.#owner.begin();
    for (const id of removed) {
      const key = keys.get(id);
      const held = key === undefined ? undefined : this.#rows.get(key);
      keys.delete(id);
      if (key !== undefined && held !== undefined) {
        held.holders.delete(query);
        if (held.holders.size === 0) {
          this.#rows.delete(key);
          this.#owner.remove(key);
        }
      }
    }
    for (const row of upserted) {
      const value = row as unknown as T;
      const key = this.#keyOf(value);
      keys.set(row.id, key);
      const held = this.#rows.get(key);
      if (held === undefined) {
        this.#rows.set(key, { value, holders: new Set([query]) });
        this.#owner.insert(value);
      } else {
        held.holders.add(query);
        if (JSON.stringify(held.value) !== JSON.stringify(value)) {
          held.value = value;
          this.#owner.update(value);
        }
      }
    }
    this.#owner.commit();
  }
}

/** The rows of a collection: which live queries hold each of them, and what has to be written when that changes. */

import type { Row } from "@corella/client";
import type { LiveChange, LiveQuery, WaitingMutation } from "@corella/client/live";

import type { Overlay } from "./overlay.js";

/** What a collection knows a row by. */
export type Key = string | number;

export interface HoldingsOwner<T extends object> {
  begin(): void;
  insert(value: T): void;
  update(value: T): void;
  remove(key: Key): void;
  commit(): void;
}

interface Held {
  /** As the answers have it; `undefined` where none has it. */
  value: object | undefined;
  /** As the collection has it, with what waits for the server. */
  shown: { readonly key: Key; readonly row: object } | undefined;
  readonly holders: Set<LiveQuery>;
}

/** A row is in the collection for as long as one live query has it in its answer, or its insertion waits for the server. */
export class Holdings<T extends object> {
  readonly #owner: HoldingsOwner<T>;
  readonly #keyOf: (value: T) => Key;
  readonly #overlay: Overlay;
  /** By their keys as texts, which are their ids wherever they can be written to. */
  readonly #rows = new Map<string, Held>();
  /** What each query holds, by the ids that its changes name. */
  readonly #keys = new Map<LiveQuery, Map<string, string>>();

  constructor(owner: HoldingsOwner<T>, keyOf: (value: T) => Key, overlay: Overlay) {
    this.#owner = owner;
    this.#keyOf = keyOf;
    this.#overlay = overlay;
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

  /** These wait for the server. */
  waiting(mutations: readonly WaitingMutation[]): void {
    this.#showAll(this.#overlay.add(mutations));
  }

  /** These wait no longer. */
  ended(keys: readonly string[]): void {
    this.#showAll(this.#overlay.end(keys));
  }

  #apply(query: LiveQuery, upserted: readonly Row[], removed: readonly string[]): void {
    const keys = this.#keys.get(query) ?? new Map<string, string>();
    this.#keys.set(query, keys);
    this.#owner.begin();
    for (const id of removed) {
      const name = keys.get(id);
      const held = name === undefined ? undefined : this.#rows.get(name);
      keys.delete(id);
      if (name !== undefined && held !== undefined) {
        held.holders.delete(query);
        if (held.holders.size === 0) {
          held.value = undefined;
          this.#show(name);
        }
      }
    }
    for (const row of upserted) {
      const name = String(this.#keyOf(row as unknown as T));
      keys.set(row.id, name);
      const held = this.#held(name);
      held.holders.add(query);
      held.value = row;
      this.#show(name);
    }
    this.#owner.commit();
  }

  #showAll(names: ReadonlySet<string>): void {
    if (names.size > 0) {
      this.#owner.begin();
      names.forEach((name) => this.#show(name));
      this.#owner.commit();
    }
  }

  #held(name: string): Held {
    const held = this.#rows.get(name) ?? { value: undefined, shown: undefined, holders: new Set() };
    this.#rows.set(name, held);
    return held;
  }

  /** Writes what has become of the row, if anything has. */
  #show(name: string): void {
    const held = this.#held(name);
    const row = this.#overlay.over(name, held.value as Readonly<Record<string, unknown>> | undefined) as T | undefined;
    const { shown } = held;
    if (row === undefined) {
      held.shown = undefined;
      if (held.value === undefined) {
        this.#rows.delete(name);
      }
      if (shown !== undefined) {
        this.#owner.remove(shown.key);
      }
      return;
    }
    held.shown = { key: this.#keyOf(row), row };
    if (shown === undefined) {
      this.#owner.insert(row);
    } else if (JSON.stringify(shown.row) !== JSON.stringify(row)) {
      this.#owner.update(row);
    }
  }
}

/** The cards of the board as this device has them: each is a document that is open, with what was written here a moment ago. */

import type { CorellaClient, RowHandle, Unsubscribe } from "@corella/client";
import { useLive } from "@corella/react";
import { useEffect, useMemo, useSyncExternalStore } from "react";

import { boardId, type Card, cardEntity, cardOf } from "../model/board";

export interface Cards {
  readonly cards: readonly Card[];
  readonly store: CardStore;
  /** Why the server does not answer. */
  readonly failure: string | undefined;
  readonly isLoading: boolean;
}

const query = { from: cardEntity, where: { board: boardId } };

export function useCards(client: CorellaClient): Cards {
  const store = useMemo(() => new CardStore(client), [client]);
  useEffect(() => store.start(), [store]);
  const { rows, status } = useLive(query);
  useEffect(() => {
    if (status.kind === "live" || status.kind === "stale") {
      store.show(rows.map((row) => cardOf(row.id, row)));
    }
  }, [store, rows, status.kind]);
  const cards = useSyncExternalStore(store.subscribe, () => store.cards);
  return { cards, store, failure: status.kind === "refused" ? status.message : undefined, isLoading: status.kind === "loading" && cards.length === 0 };
}

/** Opens the documents of the cards that the server lists, and of those that it has not got yet. */
export class CardStore {
  readonly #client: CorellaClient;
  readonly #rows = new Map<string, { readonly row: RowHandle; readonly stop: Unsubscribe }>();
  readonly #listeners = new Set<() => void>();
  /** What the server says, for cards whose document is not here yet. */
  #listed: ReadonlyMap<string, Card> = new Map();
  /** Made or found on this device: they are shown whether the server lists them or not. */
  readonly #own = new Set<string>();
  #cards: readonly Card[] = [];

  constructor(client: CorellaClient) {
    this.#client = client;
  }

  get cards(): readonly Card[] {
    return this.#cards;
  }

  subscribe = (listener: () => void): Unsubscribe => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Looks for what an earlier page left unsent. */
  start(): Unsubscribe {
    let isOver = false;
    void this.#client.localRows(cardEntity).then(
      (rows) => {
        for (const { id, unsent } of isOver ? [] : rows) {
          if (unsent) {
            this.#own.add(id);
            this.#open(id);
          }
        }
      },
      // Without storage there is nothing of an earlier page.
      () => {},
    );
    return () => {
      isOver = true;
      this.#rows.forEach(({ row, stop }) => {
        stop();
        row.close();
      });
      this.#rows.clear();
    };
  }

  show(cards: readonly Card[]): void {
    this.#listed = new Map(cards.map((card) => [card.id, card]));
    for (const id of this.#listed.keys()) {
      this.#own.delete(id);
      this.#open(id);
    }
    for (const [id, { row, stop }] of this.#rows) {
      if (!this.#listed.has(id) && !this.#own.has(id)) {
        this.#rows.delete(id);
        stop();
        row.close();
      }
    }
    this.#changed();
  }

  row(id: string): RowHandle {
    return this.#open(id);
  }

  /** A card that begins here; the server gets it when there is a connection. */
  add(column: string, title: string, author: string): string {
    const id = crypto.randomUUID();
    this.#own.add(id);
    const row = this.#open(id);
    for (const [name, value] of Object.entries({ board: boardId, column, title, author, created: new Date().toISOString() })) {
      row.fields.set(name, value);
    }
    row.doc.commit();
    return id;
  }

  /** Its document stays, so that it can come back. */
  setDeleted(id: string, deleted: boolean): void {
    this.#own.add(id);
    const row = this.#open(id);
    row.doc.getMap("meta").set("deleted", deleted);
    row.doc.commit();
    this.#changed();
  }

  #open(id: string): RowHandle {
    const known = this.#rows.get(id);
    if (known !== undefined) {
      return known.row;
    }
    const row = this.#client.row(cardEntity, id);
    const look = (): void => this.#changed();
    const stops = [row.onChange(look), row.onReplaced(look)];
    this.#rows.set(id, { row, stop: () => stops.forEach((stop) => stop()) });
    row.ready.then(look, () => {});
    return row;
  }

  #changed(): void {
    this.#cards = [...this.#rows].flatMap(([id, { row }]) => {
      if (row.fields.size === 0) {
        const listed = this.#listed.get(id);
        return listed === undefined ? [] : [listed];
      }
      return row.doc.getMap("meta").get("deleted") === true ? [] : [cardOf(id, row.fields.toJSON() as Record<string, unknown>)];
    });
    this.#listeners.forEach((listener) => listener());
  }
}

/** The board and its cards: where each fact about them is kept. */

import type { RowHandle } from "@corella/client";
import type { Value } from "loro-crdt";

export const boardEntity = "Board";
export const cardEntity = "Card";

/** There is one board. */
export const boardId = "main";

export interface Column {
  readonly id: string;
  readonly title: string;
}

export interface Card {
  readonly id: string;
  readonly title: string;
  /** The column that it is in. The card itself says so, once, so that no two moves leave it in two columns. */
  readonly column: string;
  readonly created: string;
}

/** What a board begins with, whoever opens it first. */
export function seedBoard(row: RowHandle): void {
  row.fields.set("title", "Board");
  const columns = row.movableList("columns");
  for (const title of ["To do", "Doing", "Done"]) {
    columns.push({ id: title.toLowerCase().replaceAll(" ", "-"), title });
  }
}

export function columnsOf(value: readonly Value[]): readonly Column[] {
  return value.flatMap((each) => {
    const { id, title } = (typeof each === "object" && each !== null ? each : {}) as Readonly<Record<string, unknown>>;
    return typeof id === "string" && typeof title === "string" ? [{ id, title }] : [];
  });
}

export function cardOf(id: string, fields: Readonly<Record<string, unknown>>): Card {
  const text = (name: string): string => (typeof fields[name] === "string" ? fields[name] : "");
  return { id, title: text("title"), column: text("column"), created: text("created") };
}

/** The cards of a column. The board has one order for all cards; those that it does not know yet come last. */
export function cardsIn(column: string, cards: readonly Card[], order: readonly string[]): readonly Card[] {
  const places = new Map(order.map((id, index) => [id, index]));
  const place = ({ id }: Card): number => places.get(id) ?? Number.MAX_SAFE_INTEGER;
  return cards
    .filter((card) => card.column === column)
    .sort((one, other) => place(one) - place(other) || (one.created < other.created ? -1 : 1));
}

/** Puts a card before another one in the board's order, or at its end. */
export function placeCard(board: RowHandle, id: string, before: string | undefined): void {
  const order = board.movableList("cards");
  const ids = (): unknown[] => order.toArray();
  // Somebody who adds the same card at the same time makes a second entry.
  for (let index = ids().lastIndexOf(id); index !== ids().indexOf(id); index = ids().lastIndexOf(id)) {
    order.delete(index, 1);
  }
  const from = ids().indexOf(id);
  const target = before === undefined ? -1 : ids().indexOf(before);
  if (from < 0) {
    order.insert(target < 0 ? order.length : target, id);
  } else {
    const to = target < 0 ? order.length - 1 : target > from ? target - 1 : target;
    if (to !== from) {
      order.move(from, to);
    }
  }
  board.doc.commit();
}

export function newId(): string {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

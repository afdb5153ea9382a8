/** Moving cards: by hand over the board, or key by key. */

import type { RowHandle } from "@corella/client";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

import { type Card, cardsIn, type Column, placeCard } from "../model/board";
import type { CardStore } from "./use-cards";

/** Where a card would come to lie. */
export interface Spot {
  readonly column: string;
  /** The card that it lies before; at the end of the column, without one. */
  readonly before: string | undefined;
}

export interface Carrying {
  /** The card that is carried, by the mouse or by keys. */
  readonly card: string | undefined;
  readonly isByKeys: boolean;
  /** Where the mouse would drop it. */
  readonly spot: Spot | undefined;
  readonly pick: (card: string) => void;
  readonly over: (spot: Spot) => void;
  readonly drop: () => void;
  readonly cancel: () => void;
  /** `true` when the key was for a card that is, or is to be, carried. */
  readonly press: (card: Card, key: string) => boolean;
  readonly move: (card: string, spot: Spot) => void;
  /** For screen readers. */
  readonly said: string;
}

export function useCarrying(board: RowHandle | undefined, columns: readonly Column[], cards: readonly Card[], order: readonly string[], store: CardStore): Carrying {
  const [card, setCard] = useState<string>();
  const [origin, setOrigin] = useState<Spot>();
  const [spot, setSpot] = useState<Spot>();
  const [said, say] = useState("");
  const focusNext = useRef<string>(undefined);

  // A card that changes columns is drawn anew: the keys go on where it is.
  useEffect(() => {
    if (focusNext.current !== undefined) {
      document.querySelector<HTMLElement>(`[data-card="${focusNext.current}"]`)?.focus();
      focusNext.current = undefined;
    }
  });

  const move = useCallback(
    (id: string, { column, before }: Spot) => {
      if (board === undefined || before === id) {
        return;
      }
      const row = store.row(id);
      if (row.get("column") !== column) {
        row.set("column", column);
      }
      const last = cardsIn(column, cards, order).filter((each) => each.id !== id).at(-1);
      if (before !== undefined || last === undefined) {
        placeCard(board, id, before);
      } else {
        // Behind the last card of the column: before whatever the board has after that one.
        placeCard(board, last.id, undefined);
        placeCard(board, id, undefined);
      }
    },
    [board, cards, order, store],
  );

  return useMemo(() => {
    const spotOf = (id: string): Spot | undefined => {
      const column = cards.find((each) => each.id === id)?.column;
      const within = column === undefined ? [] : cardsIn(column, cards, order);
      return column === undefined ? undefined : { column, before: within[within.findIndex((each) => each.id === id) + 1]?.id };
    };
    const end = (): void => {
      setCard(undefined);
      setOrigin(undefined);
      setSpot(undefined);
    };
    const step = (moved: Card, key: string): void => {
      const within = cardsIn(moved.column, cards, order);
      const at = within.findIndex(({ id }) => id === moved.id);
      const column = columns.findIndex(({ id }) => id === moved.column);
      const beside = columns[column + (key === "ArrowLeft" ? -1 : 1)];
      let target: Spot | undefined;
      let place = at;
      if (key === "ArrowUp" && at > 0) {
        target = { column: moved.column, before: within[at - 1]?.id };
        place = at - 1;
      } else if (key === "ArrowDown" && at < within.length - 1) {
        target = { column: moved.column, before: within[at + 2]?.id };
        place = at + 1;
      } else if ((key === "ArrowLeft" || key === "ArrowRight") && beside !== undefined) {
        const others = cardsIn(beside.id, cards, order);
        place = Math.min(at, others.length);
        target = { column: beside.id, before: others[place]?.id };
      }
      if (target !== undefined) {
        focusNext.current = moved.id;
        move(moved.id, target);
        say(`${columns.find(({ id }) => id === target.column)?.title ?? ""}, place ${place + 1}.`);
      }
    };
    return {
      card,
      isByKeys: origin !== undefined,
      spot,
      said,
      move,
      pick: (id) => setCard(id),
      over: (next) => setSpot((last) => (last?.column === next.column && last.before === next.before ? last : next)),
      drop: () => {
        if (card !== undefined && spot !== undefined) {
          move(card, spot);
        }
        end();
      },
      cancel: end,
      press: (pressed, key) => {
        const isCarried = card === pressed.id && origin !== undefined;
        if (key === " ") {
          if (isCarried) {
            end();
            say(`${pressed.title} dropped.`);
          } else {
            setCard(pressed.id);
            setOrigin(spotOf(pressed.id));
            say(`${pressed.title} lifted. Move it with the arrow keys, drop it with Space, Escape puts it back.`);
          }
          return true;
        }
        if (!isCarried) {
          return false;
        }
        if (key === "Escape") {
          focusNext.current = pressed.id;
          move(pressed.id, origin);
          end();
          say(`${pressed.title} is back where it was.`);
          return true;
        }
        if (key.startsWith("Arrow")) {
          step(pressed, key);
          return true;
        }
        return false;
      },
    };
  }, [card, origin, spot, said, move, columns, cards, order]);
}

/** How many cards each column has: counted by the server, and here while it does not know of everything that is here. */

import { useLive, useStatus } from "@corella/react";
import { useCallback, useMemo } from "react";

import { boardId, type Card, cardEntity } from "../model/board";

const query = { from: cardEntity, where: { board: boardId }, aggregate: { cards: { $count: true } }, groupBy: ["column"] };

export function useCounts(cards: readonly Card[]): (column: string) => number {
  const { rows, status } = useLive(query);
  const { unsentRows } = useStatus();
  const counted = useMemo(() => (status.kind === "live" ? new Map(rows.map((group) => [group["column"], group["cards"]])) : undefined), [rows, status.kind]);
  return useCallback(
    (column) => {
      const count = counted?.get(column) ?? 0;
      return counted !== undefined && unsentRows === 0 && typeof count === "number" ? count : cards.filter((card) => card.column === column).length;
    },
    [counted, unsentRows, cards],
  );
}

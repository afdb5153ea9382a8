/** What a TanStack query wants of a collection, as queries that the server keeps answered. */

import type { JsonValue, OrderBy } from "@corella/client";
import type { Query } from "@corella/client/live";
import type { IR, LoadSubsetOptions } from "@tanstack/db";

import { and, conditionOf } from "./condition.js";

/** The live queries that together hold what was asked for. They may hold more: TanStack DB filters what it shows. */
export type Subset = readonly Query[];

/**
 * A window is asked for as one only where the server's condition and order are exactly TanStack's; else all rows of the
 * condition are, so that none is missed.
 */
export function subsetOf(base: Query, { where, orderBy, limit, offset, cursor }: LoadSubsetOptions): Subset {
  const condition = conditionOf(where);
  const order = orderOf(orderBy);
  const isWindow = limit !== undefined && condition.isExact && order !== undefined && base.limit === undefined;
  const within = (...more: (JsonValue | undefined)[]): Query => withWhere(base, and([base.where, condition.where, ...more]));
  if (!isWindow) {
    return [within()];
  }
  const window = (query: Query, rows: number): Query => ({ ...query, ...(order.terms.length > 0 ? { orderBy: order.terms } : {}), limit: rows });
  const queries: Query[] = [];
  if (cursor === undefined) {
    queries.push(window(within(), limit + (offset ?? 0)));
  } else {
    const [from, current] = [conditionOf(cursor.whereFrom), conditionOf(cursor.whereCurrent)];
    if (!from.isExact) {
      return [within()];
    }
    queries.push(window(within(from.where), limit));
    // Rows that are level with the last one of the page before, however many they are.
    queries.push(within(current.where));
  }
  if (order.withoutValue !== undefined) {
    // The server has rows without a value at the other end of a descending order.
    queries.push({ ...within({ [order.withoutValue]: null }), limit });
  }
  return queries;
}

function withWhere(base: Query, where: JsonValue | undefined): Query {
  const { where: _, ...rest } = base;
  return where === undefined ? (rest as Query) : ({ ...rest, where } as Query);
}

interface Order {
  readonly terms: readonly OrderBy[];
  /** The leading column, where rows without a value come in another place than on the server. */
  readonly withoutValue: string | undefined;
}

/** `undefined` for orders that the server does not have. */
function orderOf(orderBy: IR.OrderBy | undefined): Order | undefined {
  const terms: OrderBy[] = [];
  let withoutValue: string | undefined;
  for (const { expression, compareOptions } of orderBy ?? []) {
    const { direction, nulls } = compareOptions;
    if (expression.type !== "ref" || expression.path.length !== 1 || (compareOptions.stringSort ?? "lexical") !== "lexical") {
      return undefined;
    }
    const [column] = expression.path as [string];
    // The server: first when ascending, last when descending.
    if (nulls !== (direction === "asc" ? "first" : "last")) {
      if (terms.length > 0) {
        return undefined;
      }
      withoutValue = column;
    }
    terms.push({ [column]: direction });
  }
  return { terms, withoutValue };
}

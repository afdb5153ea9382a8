/** A live query in a component. */

import { live, type LiveQuery, type LiveStatus, type Query } from "@corella/client/live";
import type { Row } from "@corella/client";
import { useCallback, useEffect, useMemo, useSyncExternalStore } from "react";

import { useCorella } from "./context.js";

/** The answer to a query as a component sees it. */
export interface LiveAnswer {
  /** In their order. Rows that did not change are the same objects as before. */
  readonly rows: readonly Row[];
  readonly status: LiveStatus;
  /** Where the next page starts, if there is one. */
  readonly cursor: string | undefined;
}

const NOTHING: LiveAnswer = { rows: [], status: { kind: "loading" }, cursor: undefined };

/** Follows a query for as long as the component is mounted; `undefined` asks for nothing. On a server it is `loading`. */
export function useLive(query: Query | undefined): LiveAnswer {
  const client = useCorella();
  // A literal in the component says the same at each render.
  const text = query && JSON.stringify(query);
  const follower = useMemo(() => (text === undefined ? undefined : new Follower(() => live(client, JSON.parse(text) as Query))), [client, text]);
  useEffect(() => follower?.close, [follower]);
  return useSyncExternalStore(
    useCallback((listener: () => void) => follower?.subscribe(listener) ?? (() => {}), [follower]),
    () => follower?.answer ?? NOTHING,
    () => NOTHING,
  );
}

/** Opens the query with the first listener, so that a render that is thrown away opens nothing. */
class Follower {
  readonly #open: () => LiveQuery;
  #query: LiveQuery | undefined;
  #answer = NOTHING;

  constructor(open: () => LiveQuery) {
    this.#open = open;
  }

  get answer(): LiveAnswer {
    return this.#answer;
  }

  subscribe(listener: () => void): () => void {
    const query = (this.#query ??= this.#open());
    const take = (): void => {
      this.#answer = { rows: query.rows, status: query.status, cursor: query.cursor };
    };
    take();
    return query.onChange(() => {
      take();
      listener();
    });
  }

  close = (): void => {
    this.#query?.close();
    this.#query = undefined;
  };
}

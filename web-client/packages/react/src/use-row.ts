/** A row in a component: opened, followed, given back. */

import type { RowHandle, RowOptions } from "@corella/client";
import { useCallback, useEffect, useRef, useSyncExternalStore } from "react";

import { useCorella } from "./context.js";
import { retain, viewOf } from "./row-cache.js";
import type { RowState, RowView } from "./row-view.js";

/** A row, and how far it is. Give it to `useField`, `usePresence` and `useRowStatus`. */
export interface LiveRow extends RowState {
  readonly row: RowHandle;
}

/** How a component opens a row. */
export interface UseRowOptions {
  /** Suspends until there is something to show, and throws what keeps it from being shown to the nearest error boundary. */
  readonly suspense?: boolean;
  /** Fills the document if nobody has written to it, as `client.row` does. The function of the first render counts. */
  readonly seed?: RowOptions["seed"];
}

const views = new WeakMap<RowHandle, RowView>();

/**
 * Opens the row for as long as the component is mounted. On a server nothing is opened, and the row is `undefined`, as it
 * is in the first render of a page that a server has rendered.
 */
export function useRow(entity: string, id: string, options?: UseRowOptions): LiveRow | undefined {
  const client = useCorella();
  const seed = useRef(options?.seed);
  useEffect(() => retain(client, entity, id, seed.current), [client, entity, id]);
  const live = useSyncExternalStore(
    useCallback((listener: () => void) => viewOf(client, entity, id).subscribe(listener), [client, entity, id]),
    () => liveOf(viewOf(client, entity, id)),
    () => undefined,
  );
  if (options?.suspense === true && live !== undefined && live.phase !== "ready") {
    if (live.error !== undefined) {
      throw live.error;
    }
    throw live.row.ready;
  }
  return live;
}

const lives = new WeakMap<RowState, LiveRow>();

function liveOf(view: RowView): LiveRow {
  views.set(view.row, view);
  const known = lives.get(view.state);
  if (known !== undefined) {
    return known;
  }
  const live = { ...view.state, row: view.row };
  lives.set(view.state, live);
  return live;
}

/** What `useRow` knows of a row that it gave. */
export function viewBehind(live: LiveRow | undefined): RowView | undefined {
  const view = live && views.get(live.row);
  if (live !== undefined && view === undefined) {
    throw new Error("This row is not one of useRow. Pass on what useRow returned.");
  }
  return view;
}

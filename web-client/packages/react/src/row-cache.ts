/** The rows that components use, each opened once for all of them. */

import type { CorellaClient, RowHandle, RowOptions } from "@corella/client";

import { RowView } from "./row-view.js";

/**
 * How long a row that nobody uses stays open: longer than strict mode takes to mount a component again, a suspended one to
 * come back, or a list to scroll there and back.
 */
const LINGER_MILLISECONDS = 3_000;

interface Entry {
  readonly view: RowView;
  users: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

const caches = new WeakMap<CorellaClient, Map<string, Entry>>();

/** The row's view. Rendering may ask for it as often as it likes; it goes by itself if no component is mounted with it. */
export function viewOf(client: CorellaClient, entity: string, id: string): RowView {
  return entryOf(client, entity, id).view;
}

/** A mounted component uses the row until it calls what this returns. */
export function retain(client: CorellaClient, entity: string, id: string, seed?: RowOptions["seed"]): () => void {
  const entry = entryOf(client, entity, id);
  if (seed !== undefined) {
    // One more use, given back at once: the seed stays with the row.
    client.row(entity, id, { seed }).close();
  }
  entry.users += 1;
  clearTimeout(entry.timer);
  return () => {
    entry.users -= 1;
    linger(client, `${entity}/${id}`, entry);
  };
}

function entryOf(client: CorellaClient, entity: string, id: string): Entry {
  const rows = caches.get(client) ?? new Map<string, Entry>();
  caches.set(client, rows);
  const key = `${entity}/${id}`;
  const known = rows.get(key);
  if (known !== undefined) {
    return known;
  }
  const row: RowHandle = client.row(entity, id);
  const entry: Entry = { view: new RowView(row), users: 0, timer: undefined };
  rows.set(key, entry);
  linger(client, key, entry);
  return entry;
}

function linger(client: CorellaClient, key: string, entry: Entry): void {
  clearTimeout(entry.timer);
  if (entry.users > 0) {
    return;
  }
  entry.timer = setTimeout(() => {
    caches.get(client)?.delete(key);
    entry.view.close();
  }, LINGER_MILLISECONDS);
}

/** How everything stands: connection, storage, and what the server has not confirmed. */

import type { CorellaClient, SyncStatus } from "@corella/client";
import { useCallback, useSyncExternalStore } from "react";

import { useCorella } from "./context.js";

const ON_A_SERVER: SyncStatus = { connection: "connecting", storage: { kind: "saved" }, unsentRows: 0, unsentMutations: 0 };

/** The status of the client as a whole. That of a row is in what `useRow` returns. */
export function useStatus(): SyncStatus {
  const client = useCorella();
  return useSyncExternalStore(
    useCallback((listener: () => void) => client.onSync(listener), [client]),
    () => same(client),
    () => ON_A_SERVER,
  );
}

const last = new WeakMap<CorellaClient, SyncStatus>();

/** The same object for as long as it says the same. */
function same(client: CorellaClient): SyncStatus {
  const before = last.get(client);
  const now = client.sync;
  if (before !== undefined && JSON.stringify(before) === JSON.stringify(now)) {
    return before;
  }
  last.set(client, now);
  return now;
}

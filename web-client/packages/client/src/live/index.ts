/** `@corella/client/live`: queries whose answers the server keeps true. */

import { engineOf } from "../client.js";
import type { CorellaClient } from "../client.js";
import { CorellaError } from "../public/error.js";
import type { Unsubscribe } from "../public/types.js";
import { keyOf, LiveHub } from "./hub.js";
import { Scope } from "./scope.js";
import type { LiveQuery, Query } from "./types.js";
import { Waiting, type WaitingListener } from "./waiting.js";

export type { Scope, ScopeStatus } from "./scope.js";
export type * from "./types.js";
export type { WaitingListener, WaitingMutation } from "./waiting.js";

/**
 * Follows a query. Equal queries of all tabs share one subscription and one answer, which is kept on this device; call `close`
 * when it is no longer needed.
 */
export function live(client: CorellaClient, query: Query): LiveQuery {
  return hubOf(client).open(query);
}

/**
 * Keeps the documents of a query's rows on this device, and up to date: all of them can be opened and edited offline.
 *
 * Rows come and go with the answer; one with something unsent stays until it is sent. Throws for queries with `select`.
 */
export function scope(client: CorellaClient, query: Query): Scope {
  if (query.select !== undefined) {
    throw new CorellaError("invalid_query", "The query of a scope has no select: every change of a row has to show in its answer.");
  }
  const { keeper, rows } = engineOf(client);
  const name = `scope/${keyOf(query)}`;
  const made: Scope = new Scope(client, hubOf(client).open(query, true), {
    evict: async (key) => {
      if (!rows.open.has(key)) {
        await keeper.write({ type: "evict", key });
      }
    },
    isWanted: (key): boolean => [...scopes].some((each) => each !== made && each.holds(key)),
    kept: async () => {
      await keeper.flushed();
      return new Set((await keeper.storage.rows(query.from)).map(({ key }) => key));
    },
    recall: () => keeper.storage.recall(name),
    remember: (value) => void keeper.write({ type: "remember", name, value }),
    closed: () => scopes.delete(made),
  });
  const scopes: Set<Scope> = scopesOf(client).add(made);
  return made;
}

/**
 * Gives up what this device keeps of the server, for a replica that is in doubt: rows and answers are fetched anew as they are
 * used. Rows with unsent edits, open rows, queued mutations and refused work stay. Resolves with the number of rows that went.
 */
export async function resetReplica(client: CorellaClient): Promise<number> {
  const { keeper, rows } = engineOf(client);
  const hub = hubOf(client);
  await keeper.flushed();
  const clean = (await keeper.storage.rows()).filter(({ key, hasUnsent }) => !hasUnsent && !rows.open.has(key));
  await keeper.write(...clean.map(({ key }) => ({ type: "evict", key }) as const));
  await hub.forget();
  return clean.length;
}

const open = new WeakMap<CorellaClient, Set<Scope>>();

/** The scopes of a client that are open in this tab. */
function scopesOf(client: CorellaClient): Set<Scope> {
  const known = open.get(client) ?? new Set();
  open.set(client, known);
  return known;
}

function hubOf(client: CorellaClient): LiveHub {
  return engineOf(client).extended((host) => new LiveHub(host));
}

/** Resolves when all answers of this client have this change in them, such as the `seq` of a mutation's result. */
export function reached(client: CorellaClient, seq: number): Promise<void> {
  return hubOf(client).reached(seq);
}

/**
 * Follows the mutations that wait for the server: those that earlier pages left behind, and those of this page and of other tabs.
 * For lists that show what was written on this device before the server has it.
 */
export function followWaiting(client: CorellaClient, listener: WaitingListener): Unsubscribe {
  const waiting = new Waiting(client, listener, (seq) => reached(client, seq));
  return () => waiting.close();
}

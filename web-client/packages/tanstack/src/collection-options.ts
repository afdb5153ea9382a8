/** The options of a TanStack DB collection whose rows a Corella server keeps true. */

import type { CorellaClient, Fields, Mutation, RowHandle } from "@corella/client";
import { followWaiting, live, type LiveQuery, type LiveStatus, type Query, reached } from "@corella/client/live";
import { BTreeIndex, type CollectionConfig, type LoadSubsetOptions, type SyncConfig } from "@tanstack/db";

import { Holdings, type Key } from "./holdings.js";
import { Overlay } from "./overlay.js";
import { subsetOf } from "./subset.js";

/** Which rows a collection has, and whose. */
export interface CorellaCollectionConfig<T extends object> {
  readonly client: CorellaClient;
  /** The entity whose rows these are, and that inserts, updates and deletes go to. */
  readonly entity: string;
  /** What of the entity the collection has, without `from`: a condition, an order and a limit, fields, aggregates. */
  readonly query?: Omit<Query, "from">;
  /**
   * `eager` holds the whole answer to `query`, from the start. `on-demand` holds what TanStack's queries ask for: their
   * conditions, orders and limits become live queries of the server.
   */
  readonly syncMode?: "eager" | "on-demand";
  readonly id?: string;
  /** The key of a row: its `id`, unless you say otherwise. */
  readonly getKey?: (row: T) => Key;
}

/** What a collection can do beside what all of TanStack's can. */
export interface CorellaCollectionUtils {
  /** Opens the document of a row. Give it back with its `close`. */
  readonly row: (key: Key) => RowHandle;
  /** The worst of the live queries behind the collection. */
  readonly status: () => LiveStatus;
  /** Calls back when {@link status} is another. The returned function ends it. */
  readonly onStatus: (listener: (status: LiveStatus) => void) => () => void;
  // What TanStack asks of every set of utilities.
  readonly [name: string]: (...values: never[]) => unknown;
}

type Options<T extends object> = CollectionConfig<T, Key, never, CorellaCollectionUtils> & { readonly utils: CorellaCollectionUtils };

/** Marks where a resumed collection stood, in its metadata. */
const RESUME = "corella:seq";

/**
 * Options for `createCollection`.
 *
 * Changes show at once, are kept on the device, and go to the server in their order, also after a reload. They count as done
 * once the server's answers have them; a refused one is taken back, and its promise rejects with a `CorellaError`.
 */
export function corellaCollectionOptions<T extends object = Record<string, unknown>>(config: CorellaCollectionConfig<T>): Options<T> {
  const { client, entity, query = {}, syncMode = "eager" } = config;
  const base = { ...query, from: entity } as Query;
  const getKey = config.getKey ?? ((row: T) => (row as { readonly id: Key }).id);
  const open = new Set<LiveQuery>();
  // The keys of mutations that the collection itself shows until they are done.
  const own = new Set<string>();
  const listeners = new Set<(status: LiveStatus) => void>();
  let told = "";
  const status = (): LiveStatus => worst([...open].map((each) => each.status));
  const tell = (): void => {
    const now = status();
    if (JSON.stringify(now) !== told) {
      told = JSON.stringify(now);
      listeners.forEach((listener) => listener(now));
    }
  };

  const sync: SyncConfig<T, Key>["sync"] = ({ begin, write, commit, markReady, markError, metadata }) => {
    const holdings = new Holdings<T>(
      {
        begin,
        insert: (value) => write({ type: "insert", value }),
        update: (value) => write({ type: "update", value }),
        remove: (key) => write({ type: "delete", key }),
        commit: () => {
          metadata?.collection.set(RESUME, Math.max(0, ...[...open].map(({ seq }) => seq)));
          commit();
        },
      },
      getKey,
      new Overlay(base.select),
    );
    // What rows are counted into, or grouped by, shows with the server's answer.
    const isOfRows = base["aggregate"] === undefined && base["groupBy"] === undefined;
    const unfollow = !isOfRows
      ? () => {}
      : followWaiting(client, {
          waiting: (mutations) => holdings.waiting(mutations.filter(({ key, mutation }) => mutation.entity === entity && !own.has(key))),
          ended: (keys) => holdings.ended(keys),
        });
    const follow = (wanted: Query): { readonly query: LiveQuery; readonly end: () => void } => {
      const followed = live(client, wanted);
      open.add(followed);
      if (followed.rows.length > 0) {
        holdings.take(followed);
      }
      const stop = followed.onChange((change) => {
        if (change !== undefined) {
          holdings.changed(followed, change);
        }
        tell();
      });
      tell();
      const end = (): void => {
        stop();
        open.delete(followed);
        holdings.release(followed);
        followed.close();
        tell();
      };
      return { query: followed, end };
    };
    if (syncMode === "eager") {
      const { query: whole, end } = follow(base);
      whole.ready.then(markReady, markError);
      return () => {
        unfollow();
        end();
      };
    }
    markReady();
    const subsets = new Map<string, { users: number; readonly ends: readonly (() => void)[]; readonly ready: Promise<unknown> }>();
    return {
      loadSubset: (options) => {
        const key = keyOf(base, options);
        const known = subsets.get(key);
        if (known !== undefined) {
          known.users += 1;
          return known.ready.then(() => {});
        }
        const followed = subsetOf(base, options).map(follow);
        const ready = Promise.all(followed.map((each) => each.query.ready));
        subsets.set(key, { users: 1, ends: followed.map(({ end }) => end), ready });
        return ready.then(() => {});
      },
      unloadSubset: (options) => {
        const key = keyOf(base, options);
        const known = subsets.get(key);
        if (known !== undefined) {
          known.users -= 1;
          if (known.users === 0) {
            subsets.delete(key);
            known.ends.forEach((end) => end());
          }
        }
      },
      cleanup: () => {
        unfollow();
        subsets.forEach(({ ends }) => ends.forEach((end) => end()));
        subsets.clear();
      },
    };
  };

  return {
    id: config.id ?? `corella/${entity}/${JSON.stringify(query)}/${syncMode}`,
    getKey,
    syncMode,
    // Rows come whole: a patch of columns is put together before it is written.
    sync: { sync, rowUpdateMode: "full" },
    // Joins and windows look rows up by the columns that they name.
    autoIndex: "eager",
    defaultIndexType: BTreeIndex,
    // As the server compares texts: a window has the same rows on both sides.
    defaultStringCollation: { stringSort: "lexical" },
    onInsert: ({ transaction }) =>
      done(client, own, transaction.mutations.map(({ key, modified }): Mutation => ({ entity, operation: "insert", id: String(key), fields: fieldsOf(modified) }))),
    onUpdate: ({ transaction }) =>
      done(client, own, transaction.mutations.map(({ key, changes }): Mutation => ({ entity, operation: "patch", id: String(key), fields: fieldsOf(changes) }))),
    onDelete: ({ transaction }) => done(client, own, transaction.mutations.map(({ key }): Mutation => ({ entity, operation: "delete", id: String(key) }))),
    utils: {
      row: (key: Key) => client.row(entity, String(key)),
      status,
      onStatus: (listener: (status: LiveStatus) => void) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
  };
}

/** Makes the changes, and waits until the answers have them. All are tried, and the first refusal is thrown. */
async function done(client: CorellaClient, own: Set<string>, mutations: readonly Mutation[]): Promise<void> {
  const queued = mutations.map((mutation) => client.mutate(mutation));
  queued.forEach(({ key }) => own.add(key));
  const results = await Promise.allSettled(queued.map(({ result }) => result));
  const seqs = results.flatMap((each) => (each.status === "fulfilled" ? [each.value.seq] : []));
  if (seqs.length > 0) {
    await reached(client, Math.max(...seqs));
  }
  queued.forEach(({ key }) => own.delete(key));
  const refused = results.find((each) => each.status === "rejected");
  if (refused !== undefined) {
    throw refused.reason;
  }
}

function fieldsOf(values: object): Fields {
  const { id: _, ...fields } = values as Record<string, unknown>;
  return Object.fromEntries(Object.entries(fields).filter(([name, value]) => value !== undefined && !name.startsWith("$"))) as Fields;
}

function keyOf(base: Query, options: LoadSubsetOptions): string {
  return JSON.stringify(subsetOf(base, options));
}

const BY_GRAVITY: readonly LiveStatus["kind"][] = ["live", "stale", "loading", "refused"];

function worst(statuses: readonly LiveStatus[]): LiveStatus {
  return statuses.reduce<LiveStatus>((one, other) => (BY_GRAVITY.indexOf(other.kind) > BY_GRAVITY.indexOf(one.kind) ? other : one), { kind: "live" });
}

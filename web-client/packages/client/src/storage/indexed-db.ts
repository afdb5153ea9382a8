/** The port over IndexedDB. */

import { type DBSchema, type IDBPDatabase, type IDBPTransaction, openDB } from "idb";

import { CorellaError } from "../public/error.js";
import { unreachable } from "../util/unreachable.js";
import type { KeptRow, ListedRow, QueuedEntry, Reach, RowKey, RowSummary, RowView, StoragePort, StorageWrite, StoredMutation, StoredRejection, StoredRow } from "./port.js";
import { beyond, farthest, isNothing, seedAfter } from "./reach.js";
import { newStamp } from "./stamp.js";

/** A row without its parts. */
interface RowRecord {
  readonly key: RowKey;
  byteCount: number;
  nextPart: number;
  unsent: Reach;
  /** Absent in most rows: it is there until the server has taken the seed in. */
  seed?: Reach;
  /** Present while something waits for the server: the index holds only rows that have it. */
  waits?: 1;
  epoch: string | undefined;
  usedAt: number;
  /** Another one after each change of the document. */
  stamp: number;
  /** Present while there is no view of the document as it is: this index, too, holds only rows that have it. */
  unviewed?: 1;
  viewBytes: number;
}

/** Read for lists, without the row's record and its parts: what is here is never out of date. */
interface ViewRecord extends RowView {
  readonly key: RowKey;
}

interface Schema extends DBSchema {
  rows: { key: RowKey; value: RowRecord; indexes: { waits: number; unviewed: number } };
  views: { key: RowKey; value: ViewRecord };
  parts: { key: [RowKey, number]; value: Uint8Array };
  mutations: { key: number; value: { readonly mutation: StoredMutation; readonly key: string }; indexes: { key: string } };
  rejections: { key: string; value: StoredRejection };
  memories: { key: string; value: string };
}

type StoreName = "rows" | "views" | "parts" | "mutations" | "rejections" | "memories";
type WriteTransaction = IDBPTransaction<Schema, StoreName[], "readwrite">;

const STORES: StoreName[] = ["rows", "views", "parts", "mutations", "rejections", "memories"];
const SCHEMA_VERSION = 2;

/**
 * One database for each server and user.
 *
 * A transaction that is reported as done survives the end of the tab and of the browser; the operating system may
 * still hold it for a moment before it is on the disk.
 */
export class IndexedDbStorage implements StoragePort {
  readonly #name: string;
  #database: Promise<IDBPDatabase<Schema>> | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  /** Removes everything that one user has on this device. Fails to while a tab of that user is open. */
  static async delete(name: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const request = indexedDB.deleteDatabase(name);
      request.onsuccess = () => resolve();
      request.onerror = () => reject(request.error);
      request.onblocked = () => reject(new CorellaError("storage_in_use", "The stored data is in use by another tab. Close it and try again."));
    });
  }

  async load(key: RowKey): Promise<StoredRow | undefined> {
    const transaction = (await this.#open()).transaction(["rows", "parts"]);
    const [row, parts] = await Promise.all([transaction.objectStore("rows").get(key), transaction.objectStore("parts").getAll(partsOf(key))]);
    return row && { parts, unsent: row.unsent, epoch: row.epoch, seed: row.seed ?? {} };
  }

  async loadEach(keys: readonly RowKey[]): Promise<readonly KeptRow[]> {
    const transaction = (await this.#open()).transaction(["rows", "parts"]);
    const [rows, parts] = [transaction.objectStore("rows"), transaction.objectStore("parts")];
    const found = await Promise.all(keys.map(async (key) => [await rows.get(key), await parts.getAll(partsOf(key))] as const));
    return found.flatMap(([row, parts]) => (row === undefined ? [] : [{ key: row.key, parts, unsent: row.unsent, epoch: row.epoch, seed: row.seed ?? {}, stamp: row.stamp }]));
  }

  async list(entity: string, after: RowKey | undefined, limit: number): Promise<readonly ListedRow[]> {
    const transaction = (await this.#open()).transaction(["rows", "views"]);
    const range = rowsOf(entity, after);
    const indexes = transaction.objectStore("rows");
    const count = Number.isFinite(limit) ? limit : undefined;
    // The indexes hold what is not as it should be, and are short where much is kept.
    const [views, unviewed, waiting] = await Promise.all([transaction.objectStore("views").getAll(range, count), indexes.index("unviewed").getAllKeys(), indexes.index("waits").getAllKeys()]);
    const waits = new Set(waiting);
    const listed = (key: RowKey, view: RowView | undefined): ListedRow => ({ key, hasUnsent: waits.has(key), view });
    const rows = views.map(({ key, fields, deleted }) => listed(key, { fields, deleted }));
    const others = unviewed.filter((key) => range.includes(key)).map((key) => listed(key, undefined));
    if (others.length > 0) {
      rows.push(...others);
      rows.sort((one, other) => (one.key < other.key ? -1 : 1));
    }
    return rows.slice(0, count);
  }

  async write(writes: readonly StorageWrite[]): Promise<void> {
    if (writes.length === 0) {
      return;
    }
    const transaction = (await this.#open()).transaction(STORES, "readwrite");
    // Failures of the single requests end the transaction, which is what is waited for.
    const step = (request: Promise<unknown>): void => void request.catch(() => {});
    try {
      await apply(transaction, writes, step);
    } catch (error) {
      transaction.done.catch(() => {});
      abort(transaction);
      throw transaction.error ?? error;
    }
    await transaction.done;
  }

  async fold(key: RowKey, merge: (parts: readonly Uint8Array[]) => Uint8Array | undefined): Promise<void> {
    const transaction = (await this.#open()).transaction(["rows", "parts"], "readwrite");
    transaction.done.catch(() => {});
    const [row, parts] = await Promise.all([transaction.objectStore("rows").get(key), transaction.objectStore("parts").getAll(partsOf(key))]);
    try {
      const part = row && merge(parts);
      if (row !== undefined && part !== undefined) {
        const place = row.nextPart;
        transaction.objectStore("parts").delete(partsOf(key)).catch(() => {});
        transaction.objectStore("parts").put(owned(part), [key, place]).catch(() => {});
        transaction.objectStore("rows").put({ ...row, byteCount: part.length, nextPart: place + 1 }).catch(() => {});
      }
    } catch (error) {
      abort(transaction);
      throw error;
    }
    await transaction.done;
  }

  async rows(entity?: string): Promise<readonly RowSummary[]> {
    const rows = await (await this.#open()).getAll("rows", entity === undefined ? undefined : rowsOf(entity, undefined));
    return rows.map(({ key, byteCount, viewBytes, waits, usedAt }) => ({ key, byteCount: byteCount + viewBytes, hasUnsent: waits !== undefined, usedAt }));
  }

  async unsentRows(): Promise<readonly RowKey[]> {
    return (await this.#open()).getAllKeysFromIndex("rows", "waits");
  }

  async unviewedRows(): Promise<readonly RowKey[]> {
    return (await this.#open()).getAllKeysFromIndex("rows", "unviewed");
  }

  async mutations(after: number, limit: number): Promise<readonly QueuedEntry[]> {
    const store = (await this.#open()).transaction("mutations").store;
    const range = IDBKeyRange.lowerBound(after, true);
    const [places, values] = await Promise.all([store.getAllKeys(range, limit), store.getAll(range, limit)]);
    return values.flatMap(({ mutation }, index) => {
      const place = places[index];
      return place === undefined ? [] : [{ place, mutation }];
    });
  }

  async mutationCount(): Promise<number> {
    return (await this.#open()).count("mutations");
  }

  async rejections(): Promise<readonly StoredRejection[]> {
    const rejections = await (await this.#open()).getAll("rejections");
    return rejections.sort((one, other) => one.at - other.at);
  }

  async recall(name: string): Promise<string | undefined> {
    return (await this.#open()).get("memories", name);
  }

  close(): void {
    const database = this.#database;
    this.#database = undefined;
    database?.then((open) => open.close()).catch(() => {});
  }

  /** Opens it, at the second time too if the browser has closed it in between. */
  #open(): Promise<IDBPDatabase<Schema>> {
    const known = this.#database;
    if (known !== undefined) {
      return known;
    }
    const forget = (): void => {
      if (this.#database === opened) {
        this.#database = undefined;
      }
    };
    const opened = openDB<Schema>(this.#name, SCHEMA_VERSION, {
      upgrade: (database, oldVersion, _, transaction) => upgrade(database, oldVersion, transaction),
      // A later version of this package, in another tab, wants to change the schema.
      blocking: () => {
        void opened.then((database) => database.close());
        forget();
      },
      terminated: forget,
    });
    opened.catch(forget);
    this.#database = opened;
    return opened;
  }
}

async function upgrade(database: IDBPDatabase<Schema>, oldVersion: number, transaction: IDBPTransaction<Schema, StoreName[], "versionchange">): Promise<void> {
  if (oldVersion < 1) {
    database.createObjectStore("rows", { keyPath: "key" }).createIndex("waits", "waits");
    database.createObjectStore("parts");
    database.createObjectStore("mutations", { autoIncrement: true }).createIndex("key", "key", { unique: true });
    database.createObjectStore("rejections", { keyPath: "id" });
    database.createObjectStore("memories");
  }
  if (oldVersion < 2) {
    database.createObjectStore("views", { keyPath: "key" });
    const rows = transaction.objectStore("rows");
    rows.createIndex("unviewed", "unviewed");
    for (const row of await rows.getAll()) {
      await rows.put({ ...row, stamp: newStamp(), unviewed: 1, viewBytes: 0 });
    }
  }
}

function abort(transaction: { abort(): void }): void {
  try {
    transaction.abort();
  } catch {
    // It has ended by itself.
  }
}

/** "0" is the character behind "/". */
function rowsOf(entity: string, after: RowKey | undefined): IDBKeyRange {
  return IDBKeyRange.bound(after ?? `${entity}/`, `${entity}0`, after !== undefined, true);
}

function partsOf(key: RowKey): IDBKeyRange {
  return IDBKeyRange.bound([key, 0], [key, Number.MAX_SAFE_INTEGER]);
}

/** The same bytes in a buffer of their own: storing a view stores all that it is a view of. */
function owned(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}

async function apply(transaction: WriteTransaction, writes: readonly StorageWrite[], step: (request: Promise<unknown>) => void): Promise<void> {
  const [rows, views, parts, mutations] = [transaction.objectStore("rows"), transaction.objectStore("views"), transaction.objectStore("parts"), transaction.objectStore("mutations")];
  const keys = new Set(writes.flatMap((write) => ("key" in write && write.type !== "dequeue" ? [write.key] : [])));
  const known = new Map<RowKey, RowRecord>();
  await Promise.all(
    [...keys].map(async (key) => {
      const row = await rows.get(key);
      if (row !== undefined) {
        known.set(key, row);
      }
    }),
  );
  const changed = (row: RowRecord): RowRecord => {
    if (row.unviewed === undefined) {
      step(views.delete(row.key));
    }
    return { ...row, stamp: newStamp(), unviewed: 1, viewBytes: 0 };
  };
  const waitingKeys = new Set<string>();
  for (const write of writes) {
    switch (write.type) {
      case "append": {
        const row = changed(known.get(write.key) ?? emptyRow(write.key));
        step(parts.put(owned(write.part), [write.key, row.nextPart]));
        row.nextPart += 1;
        row.byteCount += write.part.length;
        row.unsent = farthest(row.unsent, write.unsent ?? {});
        row.seed = seedAfter(row.seed ?? {}, write);
        known.set(write.key, row);
        break;
      }
      case "settle": {
        const row = known.get(write.key);
        if (row !== undefined) {
          row.unsent = beyond(row.unsent, write.reach);
          row.seed = beyond(row.seed ?? {}, write.reach);
          row.epoch = write.epoch ?? row.epoch;
        }
        break;
      }
      case "replace": {
        const row = changed(known.get(write.key) ?? emptyRow(write.key));
        step(parts.delete(partsOf(write.key)));
        step(parts.put(owned(write.part), [write.key, row.nextPart]));
        known.set(write.key, { ...row, nextPart: row.nextPart + 1, byteCount: write.part.length, unsent: write.unsent, seed: {}, epoch: write.epoch });
        break;
      }
      case "view": {
        const row = known.get(write.key);
        if (row !== undefined && row.stamp === write.stamp) {
          step(views.put({ key: write.key, fields: write.view.fields, deleted: write.view.deleted }));
          const { unviewed: _, ...viewed } = row;
          known.set(write.key, { ...viewed, viewBytes: write.byteCount });
        }
        break;
      }
      case "use": {
        const row = known.get(write.key);
        if (row !== undefined) {
          row.usedAt = write.at;
        }
        break;
      }
      case "remove":
      case "evict":
        if (write.type === "remove" || isNothing(known.get(write.key)?.unsent ?? {})) {
          known.delete(write.key);
          step(rows.delete(write.key));
          step(views.delete(write.key));
          step(parts.delete(partsOf(write.key)));
        }
        break;
      case "enqueue": {
        const { mutation } = write;
        const waits = waitingKeys.has(mutation.key) || (await mutations.index("key").getKey(mutation.key)) !== undefined;
        waitingKeys.add(mutation.key);
        if (!waits) {
          step(mutations.add({ mutation, key: mutation.key }));
        }
        break;
      }
      case "dequeue": {
        const place = await mutations.index("key").getKey(write.key);
        if (place !== undefined) {
          step(mutations.delete(place));
        }
        break;
      }
      case "quarantine":
        step(transaction.objectStore("rejections").put(write.rejection));
        break;
      case "release":
        step(transaction.objectStore("rejections").delete(write.id));
        break;
      case "remember":
        step(transaction.objectStore("memories").put(write.value, write.name));
        break;
      case "forget":
        step(transaction.objectStore("memories").delete(write.name));
        break;
      default:
        unreachable(write);
    }
  }
  for (const row of known.values()) {
    const { waits: _, seed = {}, ...rest } = row;
    step(rows.put({ ...rest, ...(isNothing(seed) ? {} : { seed }), ...(isNothing(row.unsent) ? {} : { waits: 1 }) }));
  }
}

function emptyRow(key: RowKey): RowRecord {
  return { key, byteCount: 0, nextPart: 0, unsent: {}, epoch: undefined, usedAt: Date.now(), stamp: newStamp(), unviewed: 1, viewBytes: 0 };
}

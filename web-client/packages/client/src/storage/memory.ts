/** The port over plain memory: where there is no IndexedDB, or nobody who could claim what is kept. */

import { unreachable } from "../util/unreachable.js";
import type { KeptRow, ListedRow, QueuedEntry, RowKey, RowSummary, RowView, StoragePort, StorageWrite, StoredMutation, StoredRejection, StoredRow } from "./port.js";
import { beyond, farthest, isNothing, seedAfter } from "./reach.js";
import { newStamp } from "./stamp.js";

interface MemoryRow extends StoredRow {
  readonly usedAt: number;
  readonly stamp: number;
  readonly view: RowView | undefined;
  readonly viewBytes: number;
}

const NEW: Omit<MemoryRow, "usedAt" | "stamp"> = { parts: [], unsent: {}, epoch: undefined, seed: {}, view: undefined, viewBytes: 0 };

/** Keeps everything until the page goes. */
export class MemoryStorage implements StoragePort {
  readonly #rows = new Map<RowKey, MemoryRow>();
  readonly #mutations = new Map<string, QueuedEntry>();
  readonly #rejections = new Map<string, StoredRejection>();
  readonly #memories = new Map<string, string>();
  #places = 0;

  load(key: RowKey): Promise<StoredRow | undefined> {
    const row = this.#rows.get(key);
    return Promise.resolve(row && { parts: row.parts, unsent: row.unsent, epoch: row.epoch, seed: row.seed });
  }

  loadEach(keys: readonly RowKey[]): Promise<readonly KeptRow[]> {
    return Promise.resolve(
      keys.flatMap((key) => {
        const row = this.#rows.get(key);
        return row === undefined ? [] : [{ key, parts: row.parts, unsent: row.unsent, epoch: row.epoch, seed: row.seed, stamp: row.stamp }];
      }),
    );
  }

  list(entity: string, after: RowKey | undefined, limit: number): Promise<readonly ListedRow[]> {
    const rows = [...this.#rows].filter(([key]) => key.startsWith(`${entity}/`) && (after === undefined || key > after));
    rows.sort(([one], [other]) => (one < other ? -1 : 1));
    return Promise.resolve(rows.slice(0, limit).map(([key, row]) => ({ key, hasUnsent: !isNothing(row.unsent), view: row.view })));
  }

  unviewedRows(): Promise<readonly RowKey[]> {
    return Promise.resolve([...this.#rows].filter(([, row]) => row.view === undefined).map(([key]) => key));
  }

  write(writes: readonly StorageWrite[]): Promise<void> {
    for (const write of writes) {
      this.#apply(write);
    }
    return Promise.resolve();
  }

  async fold(key: RowKey, merge: (parts: readonly Uint8Array[]) => Uint8Array | undefined): Promise<void> {
    const row = this.#rows.get(key);
    const part = row && merge(row.parts);
    if (row !== undefined && part !== undefined) {
      this.#rows.set(key, { ...row, parts: [part] });
    }
  }

  rows(entity?: string): Promise<readonly RowSummary[]> {
    const summaries = [...this.#rows].map(([key, row]) => ({
      key,
      byteCount: row.parts.reduce((sum, part) => sum + part.length, row.viewBytes),
      hasUnsent: !isNothing(row.unsent),
      usedAt: row.usedAt,
    }));
    return Promise.resolve(
      summaries.filter(({ key }) => entity === undefined || key.startsWith(`${entity}/`)).sort((one, other) => (one.key < other.key ? -1 : 1)),
    );
  }

  unsentRows(): Promise<readonly RowKey[]> {
    return Promise.resolve([...this.#rows].filter(([, row]) => !isNothing(row.unsent)).map(([key]) => key));
  }

  mutations(after: number, limit: number): Promise<readonly QueuedEntry[]> {
    const found: QueuedEntry[] = [];
    for (const entry of this.#mutations.values()) {
      if (found.length === limit) {
        break;
      }
      if (entry.place > after) {
        found.push(entry);
      }
    }
    return Promise.resolve(found);
  }

  mutationCount(): Promise<number> {
    return Promise.resolve(this.#mutations.size);
  }

  rejections(): Promise<readonly StoredRejection[]> {
    return Promise.resolve([...this.#rejections.values()].sort((one, other) => one.at - other.at));
  }

  recall(name: string): Promise<string | undefined> {
    return Promise.resolve(this.#memories.get(name));
  }

  close(): void {}

  #apply(write: StorageWrite): void {
    switch (write.type) {
      case "append": {
        const row = this.#rows.get(write.key) ?? NEW;
        this.#put(write.key, { parts: [...row.parts, write.part], unsent: farthest(row.unsent, write.unsent ?? {}), epoch: row.epoch, seed: seedAfter(row.seed, write) });
        return;
      }
      case "settle":
        this.#change(write.key, (row) => ({ ...row, unsent: beyond(row.unsent, write.reach), seed: beyond(row.seed, write.reach), epoch: write.epoch ?? row.epoch }));
        return;
      case "replace": {
        const { part, unsent, epoch } = write;
        this.#put(write.key, { parts: [part], unsent, epoch, seed: {} });
        return;
      }
      case "view":
        this.#change(write.key, (row) => (row.stamp === write.stamp ? { ...row, view: write.view, viewBytes: write.byteCount } : row));
        return;
      case "use":
        this.#change(write.key, (row) => ({ ...row, usedAt: write.at }));
        return;
      case "remove":
        this.#rows.delete(write.key);
        return;
      case "evict":
        if (isNothing(this.#rows.get(write.key)?.unsent ?? {})) {
          this.#rows.delete(write.key);
        }
        return;
      case "enqueue":
        this.#enqueue(write.mutation);
        return;
      case "dequeue":
        this.#mutations.delete(write.key);
        return;
      case "quarantine":
        this.#rejections.set(write.rejection.id, write.rejection);
        return;
      case "release":
        this.#rejections.delete(write.id);
        return;
      case "remember":
        this.#memories.set(write.name, write.value);
        return;
      case "forget":
        this.#memories.delete(write.name);
        return;
      default:
        unreachable(write);
    }
  }

  /** The row with another document. */
  #put(key: RowKey, row: StoredRow): void {
    this.#rows.set(key, { ...NEW, ...row, stamp: newStamp(), usedAt: this.#rows.get(key)?.usedAt ?? Date.now() });
  }

  #change(key: RowKey, change: (row: MemoryRow) => MemoryRow): void {
    const row = this.#rows.get(key);
    if (row !== undefined) {
      this.#rows.set(key, change(row));
    }
  }

  #enqueue(mutation: StoredMutation): void {
    if (!this.#mutations.has(mutation.key)) {
      this.#places += 1;
      this.#mutations.set(mutation.key, { place: this.#places, mutation });
    }
  }
}

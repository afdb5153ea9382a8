/** The way into storage: gathers writes, tries again what failed, and says when something is truly kept. */

import type { StorageStatus } from "../public/types.js";
import type { RowKey, StoragePort, StorageWrite, StoredRow } from "./port.js";
import { farthest, seedAfter } from "./reach.js";

/** What one transaction takes at most: the page's own reads must not wait long behind it. */
const TOGETHER_WRITES = 512;
const TOGETHER_BYTES = 1024 * 1024;

const FIRST_RETRY_MILLISECONDS = 1_000;
const LONGEST_RETRY_MILLISECONDS = 30_000;

interface Waiting {
  readonly writes: readonly StorageWrite[];
  readonly done: () => void;
}

export interface KeeperOwner {
  storageChanged(status: StorageStatus): void;
  /** There is no room left. Whoever can make some does so; the write is tried again afterwards. */
  makeRoom(): Promise<void>;
}

/** What cannot be written now stays in memory, in its order, until it can. */
export class Keeper {
  readonly storage: StoragePort;
  readonly #owner: KeeperOwner;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #failure: Extract<StorageStatus, { kind: "failing" }> | undefined;
  #reported: StorageStatus = { kind: "saved" };
  #closed = false;

  constructor(storage: StoragePort, owner: KeeperOwner) {
    this.storage = storage;
    this.#owner = owner;
  }

  get status(): StorageStatus {
    return this.#failure ?? (this.#waiting.length > 0 ? { kind: "saving" } : { kind: "saved" });
  }

  /** Resolves when the writes are in storage, all of them; later than that only if storage fails for a while. */
  write(...writes: readonly StorageWrite[]): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ writes, done: resolve });
      this.#report();
      if (this.#retry === undefined) {
        this.#run();
      }
    });
  }

  /** The row with all that was written so far, in storage or on its way there. */
  async load(key: RowKey): Promise<StoredRow | undefined> {
    await this.flushed();
    const underway = this.#waiting.flatMap(({ writes }) => writes);
    let row = await this.storage.load(key);
    for (const write of underway) {
      if (write.type === "append" && write.key === key) {
        row = { parts: [...(row?.parts ?? []), write.part], unsent: farthest(row?.unsent ?? {}, write.unsent ?? {}), epoch: row?.epoch, seed: seedAfter(row?.seed ?? {}, write) };
      } else if (write.type === "replace" && write.key === key) {
        row = { parts: [write.part], unsent: write.unsent, epoch: write.epoch, seed: {} };
      } else if (write.type === "remove" && write.key === key) {
        row = undefined;
      }
    }
    return row;
  }

  /** Resolves when storage has what was written so far, or has failed to take it. */
  async flushed(): Promise<void> {
    if (this.#retry === undefined) {
      await this.#running;
    }
  }

  /** Lets what waits be written, as far as storage takes it, and closes. */
  async close(): Promise<void> {
    while (this.#running !== undefined) {
      await this.#running;
    }
    this.#closed = true;
    clearTimeout(this.#retry);
    this.storage.close();
  }

  #run(): void {
    this.#running ??= this.#drain().finally(() => {
      this.#running = undefined;
      // What came while the last batch was told of has nobody else to start it.
      if (this.#waiting.length > 0 && this.#retry === undefined) {
        this.#run();
      }
    });
  }

  async #drain(): Promise<void> {
    // Commits of one tick go together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#nextBatch();
      try {
        await this.storage.write(batch.flatMap(({ writes }) => writes));
      } catch (error) {
        await this.#failed(error);
        return;
      }
      this.#waiting.splice(0, batch.length);
      this.#failures = 0;
      this.#failure = undefined;
      for (const { done } of batch) {
        done();
      }
      this.#report();
    }
  }

  #nextBatch(): readonly Waiting[] {
    let [count, bytes, length] = [0, 0, 0];
    for (const { writes } of this.#waiting) {
      count += writes.length;
      bytes += writes.reduce((sum, write) => sum + ("part" in write ? write.part.length : 0), 0);
      if (length > 0 && (count > TOGETHER_WRITES || bytes > TOGETHER_BYTES)) {
        break;
      }
      length += 1;
    }
    return this.#waiting.slice(0, length);
  }

  async #failed(error: unknown): Promise<void> {
    const isFull = error instanceof Error && error.name === "QuotaExceededError";
    const reason = error instanceof Error ? error.message : String(error);
    this.#failure = isFull
      ? { kind: "failing", code: "storage_full", message: "This device has no room left to keep the latest changes. Free some space, and keep this page open until they are saved." }
      : { kind: "failing", code: "storage_failed", message: `The latest changes cannot be kept on this device: ${reason}. Keep this page open until they are saved.` };
    this.#report();
    if (isFull && this.#failures === 0) {
      await this.#owner.makeRoom().catch(() => {});
    }
    const wait = Math.min(FIRST_RETRY_MILLISECONDS * 2 ** this.#failures, LONGEST_RETRY_MILLISECONDS);
    this.#failures += 1;
    if (!this.#closed) {
      this.#retry = setTimeout(() => {
        this.#retry = undefined;
        this.#run();
      }, wait);
    }
  }

  #report(): void {
    const { status } = this;
    if (JSON.stringify(status) !== JSON.stringify(this.#reported)) {
      this.#reported = status;
      this.#owner.storageChanged(status);
    }
  }
}

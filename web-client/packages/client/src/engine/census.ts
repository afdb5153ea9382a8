/** Counts what the server has not confirmed, for the client's status. */

import type { ClientStatus, SyncStatus } from "../public/types.js";
import type { Keeper } from "../storage/keeper.js";

/** A count follows what changes, not more often than this. */
const PAUSE_MILLISECONDS = 100;

export class Census {
  readonly #keeper: Keeper;
  readonly #connection: () => ClientStatus;
  readonly #emit: (sync: SyncStatus) => void;
  #unsentRows = 0;
  #unsentMutations = 0;
  #told = "";
  #counting = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(keeper: Keeper, connection: () => ClientStatus, emit: (sync: SyncStatus) => void) {
    this.#keeper = keeper;
    this.#connection = connection;
    this.#emit = emit;
  }

  get current(): SyncStatus {
    return { connection: this.#connection(), storage: this.#keeper.status, unsentRows: this.#unsentRows, unsentMutations: this.#unsentMutations };
  }

  /** Something changed that may change the counts. */
  changed(): void {
    this.#tell();
    if (!this.#closed) {
      this.#timer ??= setTimeout(() => void this.#count(), PAUSE_MILLISECONDS);
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #count(): Promise<void> {
    this.#timer = undefined;
    if (this.#counting) {
      this.changed();
      return;
    }
    this.#counting = true;
    try {
      const { storage } = this.#keeper;
      const [rows, mutations] = await Promise.all([storage.unsentRows(), storage.mutationCount()]);
      [this.#unsentRows, this.#unsentMutations] = [rows.length, mutations];
    } catch {
      // The storage's own status tells what ails it.
    }
    this.#counting = false;
    if (!this.#closed) {
      this.#tell();
    }
  }

  #tell(): void {
    const sync = this.current;
    const text = JSON.stringify(sync);
    if (text !== this.#told) {
      this.#told = text;
      this.#emit(sync);
    }
  }
}

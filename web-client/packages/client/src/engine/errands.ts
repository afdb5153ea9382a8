/** Brings the edits of rows that nobody has open to the server: those that a page left behind when it ended. */

import type { Row } from "../row/row.js";
import type { Keeper } from "../storage/keeper.js";
import type { RowKey } from "../storage/port.js";

/** So many are open at once for this reason. */
const TOGETHER = 32;

/** Goes through the stored rows with something unsent, a bounded number at a time. */
export class Errands {
  readonly #keeper: Keeper;
  readonly #ensure: (key: RowKey) => Row;
  readonly #waiting = new Set<RowKey>();
  readonly #running = new Map<RowKey, Row>();

  constructor(keeper: Keeper, ensure: (key: RowKey) => Row) {
    this.#keeper = keeper;
    this.#ensure = ensure;
  }

  /** Looks what there is to do. Called when the connection stands, and when a tab has gone. */
  async look(): Promise<void> {
    const keys = await this.#keeper.storage.unsentRows().catch(() => []);
    for (const key of keys) {
      if (!this.#running.has(key)) {
        this.#waiting.add(key);
      }
    }
    this.next();
  }

  /** A row has gone: another one may come. */
  next(): void {
    for (const [key, row] of this.#running) {
      if (row.isDisposed) {
        this.#running.delete(key);
      }
    }
    for (const key of this.#waiting) {
      if (this.#running.size >= TOGETHER) {
        return;
      }
      this.#waiting.delete(key);
      const row = this.#ensure(key);
      this.#running.set(key, row);
      // One use, given back at once: the row stays for as long as the server lacks something of it.
      void row.loaded.then(() => row.retain().close());
    }
  }

  stop(): void {
    this.#waiting.clear();
    this.#running.clear();
  }
}

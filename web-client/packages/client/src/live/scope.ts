/** The documents of a live query's rows, kept on the device: a part of the data that can be edited offline. */

import type { CorellaClient } from "../client.js";
import type { RowHandle, Unsubscribe } from "../public/types.js";
import { rowKey } from "../storage/port.js";
import { Emitter } from "../util/emitter.js";
import type { LiveChange, LiveQuery, Query } from "./types.js";

/** So many rows are joined at once to bring their documents. */
const TOGETHER = 32;

/** How much of a scope is on this device. */
export type ScopeStatus =
  /** Documents are still missing, or the query is not answered. */
  | { readonly kind: "incomplete"; readonly missing: number }
  /** Every row of the answer has its document here, as of the answer. */
  | { readonly kind: "complete" }
  /** The same as far as this device knows: there is no connection. */
  | { readonly kind: "stale" }
  | { readonly kind: "refused"; readonly code: string; readonly message: string };

export interface ScopeHost {
  /** Removes a row from the device unless something in it is unsent. */
  evict(key: ReturnType<typeof rowKey>): Promise<void>;
}

/** A live query whose rows' documents are kept on this device; {@link scope} makes one. */
export class Scope {
  readonly answer: LiveQuery;
  readonly #client: CorellaClient;
  readonly #host: ScopeHost;
  readonly #events = new Emitter<ScopeStatus>();
  /** Rows whose documents are to be brought up to date; one that changes while it is fetched is fetched again. */
  readonly #waiting = new Set<string>();
  readonly #fetching = new Map<string, RowHandle>();
  readonly #stop: Unsubscribe;
  #told = "";
  #closed = false;

  /** @param query one without `select`: each change of a row has to show in its answer. */
  constructor(client: CorellaClient, answer: LiveQuery, host: ScopeHost) {
    this.#client = client;
    this.#host = host;
    this.answer = answer;
    this.#stop = answer.onChange((change) => this.#changed(change));
    answer.rows.forEach(({ id }) => this.#waiting.add(id));
    this.#next();
  }

  get query(): Query {
    return this.answer.query;
  }

  get status(): ScopeStatus {
    const { status } = this.answer;
    if (status.kind === "refused") {
      return status;
    }
    const missing = this.#waiting.size + this.#fetching.size;
    if (status.kind === "loading" || missing > 0) {
      return { kind: "incomplete", missing };
    }
    return { kind: status.kind === "live" ? "complete" : "stale" };
  }

  /** Calls back when {@link status} is another. */
  onStatus(listener: (status: ScopeStatus) => void): Unsubscribe {
    return this.#events.on(listener);
  }

  /** Resolves when every row of the answer has its document on this device. */
  async complete(): Promise<void> {
    await this.answer.ready;
    if (this.status.kind !== "complete") {
      await new Promise<void>((resolve) => {
        const stop = this.onStatus(({ kind }) => {
          if (kind === "complete") {
            stop();
            resolve();
          }
        });
      });
    }
  }

  /**
   * Fetches all documents of the scope anew, whatever the device has of them: for copies that are in doubt. What is unsent, or
   * open somewhere, stays and is brought in step by its version.
   */
  async reset(): Promise<void> {
    for (const { id } of this.answer.rows) {
      await this.#host.evict(rowKey(this.query.from, id));
      this.#waiting.add(id);
    }
    this.#next();
  }

  /** What is here stays, and is not kept up to date any more. */
  close(): void {
    this.#closed = true;
    this.#stop();
    this.#events.clear();
    this.#waiting.clear();
    this.#fetching.forEach((row) => row.close());
    this.#fetching.clear();
    this.answer.close();
  }

  #changed(change: LiveChange | undefined): void {
    for (const id of change?.removed ?? []) {
      this.#waiting.delete(id);
      void this.#host.evict(rowKey(this.query.from, id));
    }
    // After an interruption any row may have changed in what the answer does not show.
    for (const { id } of change?.upserted ?? []) {
      this.#waiting.add(id);
    }
    this.#next();
  }

  #next(): void {
    // Without a connection there is nothing to be had.
    for (const id of this.answer.status.kind === "live" ? this.#waiting : []) {
      if (this.#fetching.size >= TOGETHER || this.#closed) {
        break;
      }
      if (!this.#fetching.has(id)) {
        this.#waiting.delete(id);
        void this.#fetch(id);
      }
    }
    this.#tell();
  }

  /** One use of the row until it is in step and stored: its version says what of it is missing. */
  async #fetch(id: string): Promise<void> {
    const row = this.#client.row(this.query.from, id);
    this.#fetching.set(id, row);
    await new Promise<void>((resolve) => {
      const look = (): void => {
        const isDone = (row.status.kind === "synced" && row.saved) || row.status.kind === "refused";
        if (isDone || this.#closed) {
          stops.forEach((stop) => stop());
          resolve();
        }
      };
      const stops = [row.onStatus(look), row.onSaved(look)];
      look();
    });
    if (this.#fetching.delete(id)) {
      row.close();
    }
    if (!this.#closed) {
      this.#next();
    }
  }

  #tell(): void {
    const { status } = this;
    const text = JSON.stringify(status);
    if (text !== this.#told) {
      this.#told = text;
      this.#events.emit(status);
    }
  }
}

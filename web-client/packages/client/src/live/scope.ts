/** The documents of a live query's rows, kept on the device: a part of the data that can be edited offline. */

import type { CorellaClient } from "../client.js";
import type { RowHandle, Unsubscribe } from "../public/types.js";
import { type RowKey, rowKey } from "../storage/port.js";
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

/** How far a scope had come: every row of the answer but the missing ones had its document on the device. */
interface Position {
  readonly epoch: string;
  readonly seq: number;
  readonly missing: readonly string[];
}

export interface ScopeHost {
  /** Removes a row from the device unless it is open or something in it is unsent. */
  evict(key: RowKey): Promise<void>;
  /** Whether it belongs to another scope. */
  isWanted(key: RowKey): boolean;
  /** Which rows of the entity are on the device. */
  kept(): Promise<ReadonlySet<RowKey>>;
  /** What was last remembered. */
  recall(): Promise<string | undefined>;
  /** After all that was written before. */
  remember(value: string): void;
  closed(): void;
}

/** How far a scope has come is written down as often as this. */
const REMEMBER_MILLISECONDS = 1_000;

/** A live query whose rows' documents are kept on this device; {@link scope} makes one. */
export class Scope {
  readonly answer: LiveQuery;
  readonly #client: CorellaClient;
  readonly #host: ScopeHost;
  readonly #events = new Emitter<ScopeStatus>();
  /** Rows whose documents are to be brought up to date; one that changes while it is fetched is fetched again. */
  readonly #waiting = new Set<string>();
  readonly #fetching = new Map<string, RowHandle>();
  /** Rows that left the scope while they were fetched. */
  readonly #gone = new Set<string>();
  readonly #stop: Unsubscribe;
  /** The answer of which all rows were taken in; `undefined` until it is known what the device has. */
  #position: Omit<Position, "missing"> | undefined;
  #begun = false;
  #remembered = "";
  #pause: ReturnType<typeof setTimeout> | undefined;
  #told = "";
  #closed = false;

  /** @param query one without `select`: each change of a row has to show in its answer. */
  constructor(client: CorellaClient, answer: LiveQuery, host: ScopeHost) {
    this.#client = client;
    this.#host = host;
    this.answer = answer;
    this.#stop = answer.onChange((change) => this.#begun && this.#changed(change));
    void this.#begin();
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
    if (status.kind === "loading" || !this.#begun || missing > 0) {
      return { kind: "incomplete", missing };
    }
    return { kind: status.kind === "live" ? "complete" : "stale" };
  }

  /** Whether this row is in the scope. */
  holds(key: RowKey): boolean {
    return this.answer.rows.some(({ id }) => rowKey(this.query.from, id) === key);
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
    this.#remember();
    clearTimeout(this.#pause);
    this.#closed = true;
    this.#stop();
    this.#host.closed();
    this.#events.clear();
    this.#waiting.clear();
    this.#fetching.forEach((row) => row.close());
    this.#fetching.clear();
    this.answer.close();
  }

  /** What is on the device from earlier pages is fetched only where it has changed since. */
  async #begin(): Promise<void> {
    const [text, kept] = await Promise.all([this.#host.recall(), this.#host.kept()]).catch(() => [undefined, new Set<RowKey>()] as const);
    if (this.#closed) {
      return;
    }
    this.#begun = true;
    const position = text === undefined ? undefined : (JSON.parse(text) as Position);
    this.#position = position;
    position?.missing.forEach((id) => this.#waiting.add(id));
    if (this.answer.epoch !== undefined) {
      this.#took();
    }
    // Nobody has to have taken a row away for it to be gone: there may have been no room for it.
    for (const { id } of this.answer.rows) {
      if (!kept.has(rowKey(this.query.from, id))) {
        this.#waiting.add(id);
      }
    }
    this.#next();
  }

  #changed(change: LiveChange | undefined): void {
    for (const id of change?.removed ?? []) {
      this.#waiting.delete(id);
      if (this.#fetching.has(id)) {
        this.#gone.add(id);
      } else {
        this.#letGo(id);
      }
    }
    if (change?.isWhole === true) {
      this.#took();
    } else {
      change?.upserted.forEach(({ id }) => this.#waiting.add(id));
    }
    this.#note();
    this.#next();
  }

  /** A whole answer does not say which documents have changed in what it does not show; an older one has nothing new in it. */
  #took(): void {
    const { epoch, seq, rows } = this.answer;
    const ids = new Set(rows.map(({ id }) => id));
    [...this.#waiting].filter((id) => !ids.has(id)).forEach((id) => this.#waiting.delete(id));
    const isKnown = this.#position !== undefined && this.#position.epoch === epoch && this.#position.seq >= seq;
    if (!isKnown) {
      ids.forEach((id) => this.#waiting.add(id));
    }
    this.#note();
  }

  #letGo(id: string): void {
    const key = rowKey(this.query.from, id);
    if (!this.#host.isWanted(key)) {
      void this.#host.evict(key);
    }
  }

  #note(): void {
    const { epoch, seq } = this.answer;
    if (epoch !== undefined && !(this.#position?.epoch === epoch && this.#position.seq > seq)) {
      this.#position = { epoch, seq };
    }
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
    if (this.#pause === undefined && !this.#closed) {
      this.#remember();
    }
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
    if (this.#gone.delete(id) && !this.#waiting.has(id)) {
      this.#letGo(id);
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

  #remember(): void {
    if (this.#position === undefined || this.#closed) {
      return;
    }
    const position: Position = { ...this.#position, missing: [...new Set([...this.#waiting, ...this.#fetching.keys()])] };
    const text = JSON.stringify(position);
    if (text !== this.#remembered) {
      this.#remembered = text;
      this.#host.remember(text);
      this.#pause = setTimeout(() => {
        this.#pause = undefined;
        this.#remember();
      }, REMEMBER_MILLISECONDS);
    }
  }
}

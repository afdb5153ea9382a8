/** One row as React wants to see things: values that stay the same object until they change. */

import type { RowHandle, RowStatus, Unsubscribe } from "@corella/client";
import type { LoroDoc, Value } from "loro-crdt";

/** How far the row is. Another object each time that something of it changes. */
export interface RowState {
  readonly phase: "opening" | "ready" | "failed";
  readonly error: Error | undefined;
  readonly status: RowStatus;
  readonly saved: boolean;
  /** The present document: another one after a refusal. */
  readonly doc: LoroDoc;
}

export class RowView {
  readonly row: RowHandle;
  readonly #listeners = new Set<() => void>();
  readonly #values = new Map<string, Value | undefined>();
  readonly #stops: Unsubscribe[];
  #presence: Readonly<Record<string, Value | undefined>> | undefined;
  #stopPresence: Unsubscribe | undefined;
  #state: RowState;

  constructor(row: RowHandle) {
    this.row = row;
    this.#state = { phase: "opening", error: undefined, status: row.status, saved: row.saved, doc: row.doc };
    this.#stops = [
      row.onStatus((status) => this.#become({ status })),
      row.onSaved((saved) => this.#become({ saved })),
      row.onReplaced((doc) => {
        this.#values.clear();
        this.#become({ doc });
      }),
      row.onChange(({ fields }) => {
        fields.forEach((field) => this.#values.delete(field));
        this.#tell();
      }),
    ];
    row.ready.then(
      () => this.#become({ phase: "ready" }),
      (error: unknown) => this.#become({ phase: "failed", error: error instanceof Error ? error : new Error(String(error)) }),
    );
  }

  get state(): RowState {
    return this.#state;
  }

  subscribe = (listener: () => void): Unsubscribe => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** The field as plain data. */
  value(field: string): Value | undefined {
    if (!this.#values.has(field)) {
      this.#values.set(field, this.row.get(field));
    }
    return this.#values.get(field);
  }

  presence(): Readonly<Record<string, Value | undefined>> {
    this.#stopPresence ??= this.row.onPresence(() => {
      this.#presence = undefined;
      this.#tell();
    });
    this.#presence ??= this.row.presence.getAllStates();
    return this.#presence;
  }

  close(): void {
    this.#stops.forEach((stop) => stop());
    this.#stopPresence?.();
    this.row.close();
  }

  #become(change: Partial<RowState>): void {
    this.#state = { ...this.#state, ...change };
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) {
      listener();
    }
  }
}

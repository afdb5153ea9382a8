/** Rows without a server: what others write is imported by hand. */

import { CorellaClient, type RowHandle } from "@corella/client";
import { LoroDoc } from "loro-crdt";
import { onTestFinished } from "vitest";

/** A socket that never opens. */
class NoSocket extends EventTarget {
  binaryType = "blob";
  send(): void {}
  close(): void {}
}

export function openRow(): RowHandle {
  const client = new CorellaClient({ url: "http://127.0.0.1:1", WebSocket: NoSocket as unknown as typeof WebSocket });
  onTestFinished(() => client.close());
  return client.row("Note", "n1");
}

/** Somebody else with a copy of the row. */
export class Other {
  readonly doc = new LoroDoc();
  readonly #row: RowHandle;

  constructor(row: RowHandle) {
    this.#row = row;
  }

  /** Writes without having seen what was not exchanged. */
  write(field: string, start: number, removed: number, inserted: string): void {
    const text = this.doc.getMap("row").ensureMergeableText(field);
    const from = Math.min(start, text.length);
    text.delete(from, Math.min(removed, text.length - from));
    text.insert(from, inserted);
    this.doc.commit();
  }

  exchange(): void {
    this.doc.import(this.#row.doc.export({ mode: "update", from: this.doc.oplogVersion() }));
    this.#row.doc.import(this.doc.export({ mode: "update", from: this.#row.doc.oplogVersion() }));
  }
}

/** What lists show of the rows on this device: kept beside their documents, and made anew in quiet moments. */

import { LoroDoc, type Value } from "loro-crdt";

import type { LocalPage, LocalRow } from "../public/types.js";
import { FIELDS_ROOT } from "../row/changes.js";
import type { Row } from "../row/row.js";
import type { Keeper } from "../storage/keeper.js";
import { type KeptRow, rowKey, type RowKey, type RowView, type StorageWrite } from "../storage/port.js";

/** So many documents are read at once. */
const READ_TOGETHER = 200;

/** So long nothing must have changed before views are made: typing goes first. */
const QUIET_MILLISECONDS = 1_000;

/** Between two pieces of that work the page may do something else. */
const BREATH_MILLISECONDS = 20;

export class Views {
  readonly #keeper: Keeper;
  readonly #open: ReadonlyMap<RowKey, Row>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /** @param open the rows that are open: they know best how they stand. */
  constructor(keeper: Keeper, open: ReadonlyMap<RowKey, Row>) {
    this.#keeper = keeper;
    this.#open = open;
  }

  async list(entity: string, { after, limit = Number.POSITIVE_INFINITY }: LocalPage): Promise<readonly LocalRow[]> {
    await this.#keeper.flushed();
    const start = after === undefined ? undefined : rowKey(entity, after);
    const listed = await this.#keeper.storage.list(entity, start, limit);
    const found = new Map<RowKey, LocalRow>();
    const unviewed: RowKey[] = [];
    for (const { key, hasUnsent, view } of listed) {
      if (view === undefined) {
        unviewed.push(key);
      }
      found.set(key, localRow(key, view ?? NOTHING, hasUnsent));
    }
    for (let at = 0; at < unviewed.length; at += READ_TOGETHER) {
      for (const [key, view] of await this.#make(unviewed.slice(at, at + READ_TOGETHER))) {
        found.set(key, localRow(key, view, found.get(key)?.unsent ?? false));
      }
    }
    const last = listed.at(-1)?.key;
    const isLast = listed.length < limit;
    // Rows may be kept in memory alone while storage takes nothing.
    let isSorted = true;
    for (const [key, row] of this.#open) {
      const isInPage = (start === undefined || key > start) && (isLast || last === undefined || key <= last);
      if (row.entity === entity && row.isLoaded && (found.has(key) || (row.hasUnsent && isInPage))) {
        isSorted &&= found.has(key);
        found.set(key, localRow(key, viewOf(row.doc), row.hasUnsent));
      }
    }
    const rows = [...found.values()];
    return isSorted ? rows : rows.sort((one, other) => (one.id < other.id ? -1 : 1));
  }

  /** Documents have changed: their views are made when it is quiet. */
  changed(): void {
    if (!this.#closed) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.#catchUp(), QUIET_MILLISECONDS);
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** Open rows are left for when they are closed: lists do not look at their views. */
  async #catchUp(): Promise<void> {
    try {
      const keys = (await this.#keeper.storage.unviewedRows()).filter((key) => !this.#open.has(key));
      for (let at = 0; at < keys.length && !this.#closed; at += READ_TOGETHER) {
        await this.#make(keys.slice(at, at + READ_TOGETHER));
        await new Promise((resolve) => setTimeout(resolve, BREATH_MILLISECONDS));
      }
    } catch {
      // Lists read the documents instead, and the next change tries again.
    }
  }

  async #make(keys: readonly RowKey[]): Promise<ReadonlyMap<RowKey, RowView>> {
    const views = new Map<RowKey, RowView>();
    const writes: StorageWrite[] = [];
    for (const row of await this.#keeper.storage.loadEach(keys)) {
      const view = viewOf(documentOf(row));
      views.set(row.key, view);
      writes.push({ type: "view", key: row.key, stamp: row.stamp, view, byteCount: JSON.stringify(view).length });
    }
    // Past the keeper: nobody's work is in danger where there is no room for these.
    await this.#keeper.storage.write(writes).catch(() => {});
    return views;
  }
}

const NOTHING: RowView = { fields: {}, deleted: false };

function localRow(key: RowKey, { fields, deleted }: RowView, unsent: boolean): LocalRow {
  return { id: key.slice(key.indexOf("/") + 1), fields, deleted, unsent };
}

function viewOf(doc: LoroDoc): RowView {
  return { fields: doc.getMap(FIELDS_ROOT).toJSON() as Record<string, Value>, deleted: doc.getMap("meta").get("deleted") === true };
}

function documentOf(row: KeptRow): LoroDoc {
  const doc = new LoroDoc();
  try {
    doc.importBatch([...row.parts]);
  } catch {
    // It shows as empty here; opened, it is made good by the server.
  }
  return doc;
}

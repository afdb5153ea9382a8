/** One row's share of the storage: loads it, adds to it, and folds it when it has grown long. */

import { LoroDoc } from "loro-crdt";

import type { Keeper } from "../storage/keeper.js";
import type { Reach, RowKey, StorageWrite, StoredRejection } from "../storage/port.js";
import { farthest, isNothing } from "../storage/reach.js";
import { reachOf } from "./versions.js";

/** A tail is folded when it outgrows half of what it is added to, and this; or when it has this many parts. */
const TAIL_BYTES = 16 * 1024;
const TAIL_PARTS = 256;

export class RowStore {
  readonly key: RowKey;
  readonly #keeper: Keeper;
  readonly #changed: () => void;
  #underway = 0;
  #unsent: Reach = {};
  #seed: Reach = {};
  #epoch: string | undefined;
  #baseBytes = 0;
  #tailBytes = 0;
  #tailParts = 0;
  #folding = false;

  /** @param changed hears when `isSaved` may have changed. */
  constructor(key: RowKey, keeper: Keeper, changed: () => void) {
    this.key = key;
    this.#keeper = keeper;
    this.#changed = changed;
  }

  /** Whether all that was handed over is in storage. */
  get isSaved(): boolean {
    return this.#underway === 0;
  }

  /** Whether the stored row has edits that the server has not confirmed. */
  get hasUnsent(): boolean {
    return !isNothing(this.#unsent);
  }

  /** What of the unsent operations fills the document. */
  get seed(): Reach {
    return this.#seed;
  }

  get epoch(): string | undefined {
    return this.#epoch;
  }

  /** Puts what is kept into `doc`. `false` if nothing is, or nothing that can be read. */
  async load(doc: LoroDoc): Promise<boolean> {
    const row = await this.#keeper.load(this.key);
    if (row === undefined || row.parts.length === 0) {
      return false;
    }
    const readable = importAll(doc, row.parts);
    this.#unsent = farthest(this.#unsent, row.unsent);
    this.#seed = farthest(this.#seed, row.seed);
    this.#epoch = row.epoch;
    this.#baseBytes = row.parts[0]?.length ?? 0;
    this.#tailBytes = row.parts.slice(1).reduce((sum, part) => sum + part.length, 0);
    this.#tailParts = row.parts.length - 1;
    this.#keep({ type: "use", key: this.key, at: Date.now() });
    return readable;
  }

  /** Edits made here; a seed fills the document, which was empty. */
  appendOwn(part: Uint8Array, isSeed: boolean): void {
    const unsent = this.othersAppended(part, isSeed);
    this.#append(part, unsent, isSeed);
  }

  appendServers(parts: readonly Uint8Array[]): void {
    for (const part of parts) {
      this.#append(part, undefined);
    }
  }

  /** Edits of another tab, which keeps them itself. */
  othersAppended(part: Uint8Array, isSeed: boolean): Reach {
    const reach = reachOf(part);
    this.#unsent = farthest(this.#unsent, reach);
    if (isSeed) {
      this.#seed = farthest(this.#seed, reach);
    }
    return reach;
  }

  /** The server has this much. */
  settle(reach: Reach, epoch: string | undefined): void {
    if (this.hasUnsent || epoch !== this.#epoch) {
      this.#unsent = {};
      this.#seed = {};
      this.#epoch = epoch;
      this.#keep({ type: "settle", key: this.key, reach, epoch });
    }
  }

  /** What filled the document is not in it any more. */
  forgetSeed(): void {
    this.#seed = {};
  }

  /** Another document takes this one's place. */
  replace(doc: LoroDoc, unsent: Reach, epoch: string | undefined): void {
    const part = doc.export({ mode: "snapshot" });
    this.#unsent = unsent;
    this.#seed = {};
    this.#epoch = epoch;
    [this.#baseBytes, this.#tailBytes, this.#tailParts] = [part.length, 0, 0];
    this.#keep({ type: "replace", key: this.key, part, unsent, epoch });
  }

  /** The row goes, and what was refused of it is kept apart, in one step. */
  quarantine(rejection: StoredRejection): void {
    this.#unsent = {};
    this.#seed = {};
    this.#keep({ type: "quarantine", rejection }, { type: "remove", key: this.key });
  }

  /** Keeps what could not be merged, and leaves the row. */
  quarantineBeside(rejection: StoredRejection): void {
    this.#keep({ type: "quarantine", rejection });
  }

  #append(part: Uint8Array, unsent: Reach | undefined, isSeed = false): void {
    this.#keep({ type: "append", key: this.key, part, unsent, isSeed });
  }

  #keep(...writes: readonly StorageWrite[]): void {
    this.#underway += 1;
    if (this.#underway === 1) {
      this.#changed();
    }
    void this.#keeper.write(...writes).then(() => {
      this.#underway -= 1;
      for (const write of writes) {
        if (write.type === "append") {
          this.#tailBytes += write.part.length;
          this.#tailParts += 1;
        }
      }
      this.#foldIfLong();
      if (this.#underway === 0) {
        this.#changed();
      }
    });
  }

  #foldIfLong(): void {
    const isLong = this.#tailParts > TAIL_PARTS || this.#tailBytes > Math.max(TAIL_BYTES, this.#baseBytes / 2);
    if (!isLong || this.#folding) {
      return;
    }
    this.#folding = true;
    void this.#keeper.storage
      .fold(this.key, (parts) => {
        const part = foldParts(parts);
        [this.#baseBytes, this.#tailBytes, this.#tailParts] = [part?.length ?? this.#baseBytes, 0, 0];
        return part;
      })
      // A row that cannot be folded is as good as before; the next long tail tries again.
      .catch(() => {})
      .finally(() => {
        this.#folding = false;
      });
  }
}

/** One snapshot of all parts; `undefined` if they do not make a whole document. */
export function foldParts(parts: readonly Uint8Array[]): Uint8Array | undefined {
  const doc = new LoroDoc();
  if (parts.length < 2 || doc.importBatch([...parts]).pending !== null) {
    return undefined;
  }
  const snapshot = doc.export({ mode: "snapshot" });
  const check = new LoroDoc();
  check.import(snapshot);
  return check.oplogVersion().compare(doc.oplogVersion()) === 0 ? snapshot : undefined;
}

/** Imports what can be read of the parts. `false` if some could not: the server has to make it good. */
function importAll(doc: LoroDoc, parts: readonly Uint8Array[]): boolean {
  try {
    doc.importBatch([...parts]);
    return true;
  } catch {
    let count = 0;
    for (const part of parts) {
      try {
        doc.import(part);
        count += 1;
      } catch {
        // The other parts may still be whole.
      }
    }
    return count > 0;
  }
}

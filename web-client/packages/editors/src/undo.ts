/** Undo for one person: takes back what was written here, and leaves what others wrote. */

import { CREATION_ORIGIN, type RowHandle, type Unsubscribe } from "@corella/client";
import { type LoroDoc, UndoManager } from "loro-crdt";

/** What counts as one step, and how many are kept. */
export interface UndoOptions {
  /** Edits within so many milliseconds of each other are taken back together: 500 unless you say otherwise. */
  readonly mergeMilliseconds?: number;
  /** How many steps are remembered: 200 unless you say otherwise. */
  readonly steps?: number;
}

/** The steps of one row. A new document, after a refusal, begins without any. */
export class RowUndo {
  readonly #row: RowHandle;
  readonly #options: UndoOptions;
  readonly #listeners = new Set<() => void>();
  readonly #stop: Unsubscribe;
  #manager: UndoManager;

  constructor(row: RowHandle, options: UndoOptions = {}) {
    this.#row = row;
    this.#options = options;
    this.#manager = this.#begin();
    const stops = [
      row.onReplaced(() => {
        this.#manager = this.#begin();
        this.#tell();
      }),
      row.onChange(() => this.#tell()),
    ];
    this.#stop = () => stops.forEach((stop) => stop());
  }

  /** What remembers the steps of the present document, for bindings of other editors. */
  get manager(): UndoManager {
    return this.#manager;
  }

  get canUndo(): boolean {
    return this.#manager.canUndo();
  }

  get canRedo(): boolean {
    return this.#manager.canRedo();
  }

  /** Takes the last step back. `false` if there is none. */
  undo(): boolean {
    return this.#manager.undo();
  }

  /** Makes the step that was taken back last again. `false` if there is none. */
  redo(): boolean {
    return this.#manager.redo();
  }

  /** Calls back when `canUndo` or `canRedo` may have changed. */
  onChange(listener: () => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Stops remembering steps. */
  close(): void {
    this.#stop();
    this.#listeners.clear();
  }

  #begin(): UndoManager {
    return undoManager(this.#row.doc, this.#options);
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) {
      listener();
    }
  }
}

/** Remembers the steps that are made here from now on. */
export function undoManager(doc: LoroDoc, { mergeMilliseconds = 500, steps = 200 }: UndoOptions = {}): UndoManager {
  return new UndoManager(doc, { mergeInterval: mergeMilliseconds, maxUndoSteps: steps, excludeOriginPrefixes: [CREATION_ORIGIN] });
}

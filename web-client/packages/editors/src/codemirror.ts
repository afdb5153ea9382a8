/** CodeMirror 6 on a text field of a row. */

import { Annotation, type ChangeSpec, EditorState, type Extension, Prec } from "@codemirror/state";
import { type EditorView, keymap, ViewPlugin, type ViewUpdate } from "@codemirror/view";
import type { RowHandle, Unsubscribe } from "@corella/client";
import type { Delta, LoroEventBatch, LoroText } from "loro-crdt";

import { editBetween } from "./edit.js";
import { RowUndo } from "./undo.js";

/** What a binding shares with others. */
export interface CodeMirrorOptions {
  /** Whose steps Mod-z and Mod-y take back. Leave `@codemirror/commands`' `history()` out: it takes back what others wrote. */
  readonly undo?: RowUndo;
}

/** Marks transactions that bring in what is in the document already. */
const fromRow = Annotation.define<boolean>();

let count = 0;

/**
 * Keeps an editor and the text under `field` the same, an empty one included. Wait for `row.ready` before.
 *
 * ```ts
 * new EditorView({ parent, extensions: [rowText(row, "notes")] });
 * ```
 */
export function rowText(row: RowHandle, field: string, options: CodeMirrorOptions = {}): Extension {
  const undo = options.undo ?? new RowUndo(row);
  return [
    // A text may hold any line ends: they are letters like others, and positions are the same on both sides.
    EditorState.lineSeparator.of("\n"),
    ViewPlugin.define((view) => new Binding(view, row, field, options.undo === undefined ? undo : undefined)),
    Prec.high(
      keymap.of([
        { key: "Mod-z", run: () => undo.undo() || true, preventDefault: true },
        { key: "Mod-y", mac: "Mod-Shift-z", run: () => undo.redo() || true, preventDefault: true },
        { key: "Mod-Shift-z", run: () => undo.redo() || true, preventDefault: true },
      ]),
    ),
  ];
}

class Binding {
  readonly #view: EditorView;
  readonly #row: RowHandle;
  readonly #field: string;
  readonly #ownUndo: RowUndo | undefined;
  readonly #origin = `corella-codemirror-${(count += 1)}`;
  readonly #unreplaced: Unsubscribe;
  #text: LoroText;
  #unsubscribe: Unsubscribe;
  #closed = false;

  constructor(view: EditorView, row: RowHandle, field: string, ownUndo: RowUndo | undefined) {
    this.#view = view;
    this.#row = row;
    this.#field = field;
    this.#ownUndo = ownUndo;
    [this.#text, this.#unsubscribe] = this.#begin();
    this.#unreplaced = row.onReplaced(() => {
      this.#unsubscribe();
      [this.#text, this.#unsubscribe] = this.#begin();
    });
  }

  /** Called by the editor with each of its changes. */
  update(update: ViewUpdate): void {
    const isOwn = update.docChanged && !update.transactions.every((transaction) => transaction.annotation(fromRow) === true || !transaction.docChanged);
    if (!isOwn) {
      return;
    }
    for (const transaction of update.transactions) {
      if (transaction.docChanged && transaction.annotation(fromRow) !== true) {
        // Ranges come from left to right, and `fromB` counts with what was changed before them.
        transaction.changes.iterChanges((fromA, toA, fromB, _toB, inserted) => {
          if (toA > fromA) {
            this.#text.delete(fromB, toA - fromA);
          }
          if (inserted.length > 0) {
            this.#text.insert(fromB, inserted.toString());
          }
        });
      }
    }
    this.#row.doc.commit({ origin: this.#origin });
  }

  destroy(): void {
    this.#closed = true;
    this.#unsubscribe();
    this.#unreplaced();
    this.#ownUndo?.close();
  }

  #begin(): [LoroText, Unsubscribe] {
    const text = this.#row.text(this.#field);
    // An editor that is just being made takes no changes yet.
    queueMicrotask(() => this.#catchUp());
    return [text, text.subscribe((event) => this.#changed(event))];
  }

  #catchUp(): void {
    const edit = this.#closed ? undefined : editBetween(this.#view.state.doc.toString(), this.#text.toString());
    if (edit !== undefined) {
      this.#dispatch([{ from: edit.start, to: edit.start + edit.removed, insert: edit.inserted }]);
    }
  }

  #changed(event: LoroEventBatch): void {
    if (event.origin === this.#origin || this.#closed) {
      return;
    }
    for (const { target, diff } of event.events) {
      if (target === this.#text.id && diff.type === "text") {
        this.#dispatch(changesOf(diff.diff));
      }
    }
  }

  #dispatch(changes: readonly ChangeSpec[]): void {
    this.#view.dispatch({ changes: [...changes], annotations: fromRow.of(true) });
  }
}

/** A change in the words of the editor, whose positions are those before the change. */
function changesOf(delta: readonly Delta<string>[]): ChangeSpec[] {
  const changes: ChangeSpec[] = [];
  let reached = 0;
  for (const { retain = 0, delete: removed = 0, insert = "" } of delta) {
    if (removed > 0 || insert !== "") {
      changes.push({ from: reached, to: reached + removed, insert });
    }
    reached += retain + removed;
  }
  return changes;
}

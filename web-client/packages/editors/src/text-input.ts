/** A plain `<textarea>` or `<input>` on a text field of a row. */

import type { RowHandle, Unsubscribe } from "@corella/client";
import type { Delta, LoroEventBatch, LoroText } from "loro-crdt";

import { type Edit, editBetween, positionAfter, textAfter } from "./edit.js";
import { RowUndo } from "./undo.js";

/** What a binding shares with others. */
export interface TextInputOptions {
  /** Whose steps Ctrl+Z and Ctrl+Y take back: one for several inputs of a row, if you have one. */
  readonly undo?: RowUndo;
}

type TextElement = HTMLTextAreaElement | HTMLInputElement;

let count = 0;

/**
 * Binds the element to the text under `field`: each input becomes the smallest edit that it can be, and what others write
 * comes in around the caret. While an input method composes a word, nothing is taken from under it.
 *
 * Wait for `row.ready` before. The returned function ends it.
 */
export function bindTextInput(element: TextElement, row: RowHandle, field: string, options: TextInputOptions = {}): Unsubscribe {
  const binding = new TextInputBinding(element, row, field, options.undo ?? new RowUndo(row));
  return () => {
    binding.close();
    if (options.undo === undefined) {
      binding.undo.close();
    }
  };
}

class TextInputBinding {
  readonly undo: RowUndo;
  readonly #element: TextElement;
  readonly #row: RowHandle;
  readonly #field: string;
  readonly #stops: Unsubscribe[];
  /** Marks the edits that are in the element already. */
  readonly #origin = `corella-input-${(count += 1)}`;
  #text: LoroText;
  #unsubscribe: Unsubscribe;
  /** The text that the element shows, apart from what is being composed. */
  #shown = "";
  /** What came from elsewhere while a word is composed. */
  #held: (readonly Delta<string>[])[] = [];
  #composing = false;

  constructor(element: TextElement, row: RowHandle, field: string, undo: RowUndo) {
    this.#element = element;
    this.#row = row;
    this.#field = field;
    this.undo = undo;
    [this.#text, this.#unsubscribe] = this.#begin();
    const listen = (type: string, listener: (event: Event) => void): Unsubscribe => {
      element.addEventListener(type, listener);
      return () => element.removeEventListener(type, listener);
    };
    this.#stops = [
      listen("input", () => this.#read()),
      listen("compositionstart", () => {
        this.#composing = true;
      }),
      listen("compositionend", () => {
        this.#composing = false;
        this.#read();
      }),
      listen("beforeinput", (event) => this.#beforeInput(event as InputEvent)),
      listen("keydown", (event) => this.#keyDown(event as KeyboardEvent)),
      row.onReplaced(() => {
        this.#unsubscribe();
        [this.#text, this.#unsubscribe] = this.#begin();
      }),
    ];
  }

  close(): void {
    this.#stops.forEach((stop) => stop());
    this.#unsubscribe();
  }

  #begin(): [LoroText, Unsubscribe] {
    const text = this.#row.text(this.#field);
    this.#held = [];
    this.#shown = text.toString();
    if (this.#element.value !== this.#shown) {
      this.#element.value = this.#shown;
    }
    return [text, text.subscribe((event) => this.#changed(event))];
  }

  #changed(event: LoroEventBatch): void {
    if (event.origin === this.#origin) {
      return;
    }
    for (const { target, diff } of event.events) {
      if (target === this.#text.id && diff.type === "text") {
        if (this.#composing) {
          this.#held.push(diff.diff);
        } else {
          this.#show(diff.diff);
        }
      }
    }
  }

  /** Brings a change into the element, and leaves caret and selection where they were among the letters. */
  #show(delta: readonly Delta<string>[]): void {
    this.#shown = textAfter(this.#shown, delta);
    const { selectionStart, selectionEnd, selectionDirection } = this.#element;
    this.#element.value = this.#shown;
    if (selectionStart !== null && selectionEnd !== null) {
      this.#element.setSelectionRange(positionAfter(selectionStart, delta), positionAfter(selectionEnd, delta), selectionDirection ?? "none");
    }
  }

  /** Takes over what the element says now. */
  #read(): void {
    if (this.#composing) {
      return;
    }
    const { value, selectionEnd } = this.#element;
    const edit = editBetween(this.#shown, value, selectionEnd ?? value.length);
    const held = this.#held;
    this.#held = [];
    this.#shown = value;
    if (edit !== undefined) {
      // Others wrote while the word was composed: the edit goes to where its place is by now.
      const [start, end] = held.reduce(([from, to], delta) => [positionAfter(from, delta), positionAfter(to, delta)], [edit.start, edit.start + edit.removed]);
      this.#write(start ?? 0, (end ?? 0) - (start ?? 0), edit.inserted);
    }
    if (held.length > 0) {
      const caret = selectionEnd ?? value.length;
      this.#catchUp(held.reduce(positionAfter, caretBefore(caret, edit)), caret - caretBefore(caret, edit));
    }
  }

  #write(start: number, removed: number, inserted: string): void {
    if (removed > 0) {
      this.#text.delete(start, removed);
    }
    if (inserted !== "") {
      this.#text.insert(start, inserted);
    }
    this.#row.doc.commit({ origin: this.#origin });
  }

  /** The element shows the composed word alone; the document has more. The caret is `behind` letters after `place`. */
  #catchUp(place: number, behind: number): void {
    this.#shown = this.#text.toString();
    this.#element.value = this.#shown;
    this.#element.setSelectionRange(place + behind, place + behind);
  }

  /** The browser's own undo knows nothing of what others wrote. */
  #beforeInput(event: InputEvent): void {
    if (event.inputType === "historyUndo" || event.inputType === "historyRedo") {
      event.preventDefault();
      this.#step(event.inputType === "historyUndo");
    }
  }

  #keyDown(event: KeyboardEvent): void {
    const key = event.key.toLowerCase();
    if (!(event.ctrlKey || event.metaKey) || event.altKey || (key !== "z" && key !== "y")) {
      return;
    }
    event.preventDefault();
    this.#step(key === "z" && !event.shiftKey);
  }

  #step(isBack: boolean): void {
    if (isBack) {
      this.undo.undo();
    } else {
      this.undo.redo();
    }
  }
}

/** Where the caret stood in the text before an edit of its own: behind which letter that others may have moved. */
function caretBefore(caret: number, edit: Edit | undefined): number {
  if (edit === undefined || caret < edit.start) {
    return caret;
  }
  const end = edit.start + edit.inserted.length;
  return caret <= end ? edit.start : caret - edit.inserted.length + edit.removed;
}

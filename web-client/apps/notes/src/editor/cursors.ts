/** How other people's cursors and selections look in the text. */

import { type Person, personOf } from "@corella/app-kit";
import type { PeerID } from "loro-crdt";
import { LoroEphemeralCursorPlugin } from "loro-prosemirror";
import type { Plugin, Transaction } from "prosemirror-state";
import type { EditorView } from "prosemirror-view";

import type { RowCursorStore } from "./cursor-store";
import { noticeSelection } from "./selection";

export function cursorPlugin(store: RowCursorStore, self: Person): Plugin {
  const personAt = (peer: PeerID) => store.personAt(peer) ?? personOf("?");
  return LoroEphemeralCursorPlugin(store, {
    user: { ...self },
    createCursor: (peer) => caret(personAt(peer)),
    createSelection: (peer) => ({ class: "remote-selection", style: `--person: ${personAt(peer).color}` }),
  });
}

/**
 * The transaction as it is, unless it draws the others' cursors: that one was made from the selection that the editor
 * knew, and is made again from the one that the person has by now.
 */
export function keepingSelection(transaction: Transaction, view: EditorView, { spec }: Plugin): Transaction {
  const redraw: unknown = spec.key && transaction.getMeta(spec.key);
  if (spec.key === undefined || redraw === undefined) {
    return transaction;
  }
  noticeSelection();
  return view.state.tr.setMeta(spec.key, redraw);
}

function caret(person: Person): HTMLElement {
  const element = document.createElement("span");
  element.className = "remote-cursor";
  element.style.setProperty("--person", person.color);
  const label = document.createElement("span");
  label.className = "remote-cursor-name";
  label.textContent = person.name;
  // Word joiners keep the browser from breaking the line at the caret.
  element.append("\u2060", label, "\u2060");
  return element;
}

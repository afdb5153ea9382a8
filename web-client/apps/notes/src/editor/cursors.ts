/** How other people's cursors and selections look in the text. */

import type { PeerID } from "loro-crdt";
import { LoroEphemeralCursorPlugin } from "loro-prosemirror";
import type { Plugin } from "prosemirror-state";

import { type Person, personOf } from "../model/person";
import type { RowCursorStore } from "./cursor-store";

export function cursorPlugin(store: RowCursorStore, self: Person): Plugin {
  const personAt = (peer: PeerID) => store.personAt(peer) ?? personOf("?");
  return LoroEphemeralCursorPlugin(store, {
    user: { ...self },
    createCursor: (peer) => caret(personAt(peer)),
    createSelection: (peer) => ({ class: "remote-selection", style: `--person: ${personAt(peer).color}` }),
  });
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

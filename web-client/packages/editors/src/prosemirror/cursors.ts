/** How other people's cursors and selections are drawn in the text. */

import { LoroEphemeralCursorPlugin } from "loro-prosemirror";
import { Plugin } from "prosemirror-state";
import type { DecorationAttrs } from "prosemirror-view";

import type { RowCursorStore } from "./cursor-store.js";
import type { EditingPerson } from "./presence.js";
import { noticeSelection } from "./selection.js";

/** Who this person is to the others, and how they look here. */
export interface CursorOptions {
  readonly person: EditingPerson;
  /** What stands where somebody's cursor is. By default a `span.remote-cursor` with the name in a `span.remote-cursor-name`, and `--person` as the color. */
  readonly caret?: (person: EditingPerson) => HTMLElement;
  /** What somebody's selected text looks like. By default it has the class `remote-selection` and `--person` as the color. */
  readonly selection?: (person: EditingPerson) => DecorationAttrs;
}

const nobody: EditingPerson = { name: "?", color: "#6b7280" };

export function cursorPlugins(store: RowCursorStore, { person, caret = defaultCaret, selection = defaultSelection }: CursorOptions): Plugin[] {
  const drawn = LoroEphemeralCursorPlugin(store, {
    user: { ...person },
    createCursor: (peer) => caret(store.personAt(peer) ?? nobody),
    createSelection: (peer) => selection(store.personAt(peer) ?? nobody),
  });
  const { key } = drawn.spec;
  const presence = new Plugin({
    view: (view) => {
      // The browser tells of a moved cursor a little late: drawing from what the editor knows would put it back.
      store.redraw = () => {
        if (!view.isDestroyed && key !== undefined) {
          noticeSelection();
          view.dispatch(view.state.tr.setMeta(key, { presenceUpdated: true }));
        }
      };
      return {
        destroy: () => {
          store.redraw = () => {};
          store.leave();
        },
      };
    },
  });
  return [drawn, presence];
}

function defaultCaret(person: EditingPerson): HTMLElement {
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

function defaultSelection({ color }: EditingPerson): DecorationAttrs {
  return { class: "remote-selection", style: `--person: ${color}` };
}

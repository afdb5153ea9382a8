/** One editor on one row's document. */

import type { Person } from "@corella/app-kit";
import type { RowHandle } from "@corella/client";
import { type LoroDocType, LoroSyncPlugin, LoroUndoPlugin } from "loro-prosemirror";
import { EditorState } from "prosemirror-state";
import { EditorView } from "prosemirror-view";

import { bodyOf } from "./body";
import { RowCursorStore } from "./cursor-store";
import { cursorPlugin, keepingSelection } from "./cursors";
import { keyPlugins } from "./keys";
import { placeholder } from "./placeholder";
import { remoteChanges } from "./remote-changes";
import { noteSchema } from "./schema";
import { selectionBeforeKeys } from "./selection";

export interface NoteEditor {
  readonly view: EditorView;
  /** Takes the editor off the page and its person out of the row's presence. */
  readonly close: () => void;
}

export function openEditor(
  place: HTMLElement,
  row: RowHandle,
  person: Person,
  onState: (state: EditorState) => void,
): NoteEditor {
  const body = bodyOf(row);
  const cursors = new RowCursorStore(row, person);
  const othersCursors = cursorPlugin(cursors, person);
  // loro-prosemirror names the containers that it makes at a document's root; a row's document is wider than that.
  const doc = row.doc as LoroDocType;
  const view = new EditorView(place, {
    state: EditorState.create({
      schema: noteSchema,
      plugins: [
        selectionBeforeKeys(),
        ...keyPlugins(),
        LoroSyncPlugin({ doc, containerId: body.id }),
        remoteChanges(body, () => cursors.enter()),
        LoroUndoPlugin({ doc }),
        othersCursors,
        placeholder("Write something, or type # for a heading and - for a list"),
      ],
    }),
    attributes: {
      "aria-label": "Note text",
      "aria-multiline": "true",
      "data-testid": "editor",
      role: "textbox",
      class: "editor",
    },
    dispatchTransaction: (transaction) => {
      const state = view.state.apply(keepingSelection(transaction, view, othersCursors));
      view.updateState(state);
      onState(state);
    },
  });
  onState(view.state);
  return {
    view,
    close: () => {
      view.destroy();
      cursors.leave();
      cursors.destroy();
    },
  };
}

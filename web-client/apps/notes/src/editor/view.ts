/** One editor on one row's document. */

import type { Person } from "@corella/app-kit";
import type { RowHandle } from "@corella/client";
import { rowDocument } from "@corella/editors/prosemirror";
import { EditorState } from "prosemirror-state";
import { EditorView } from "prosemirror-view";

import { keyPlugins } from "./keys";
import { placeholder } from "./placeholder";
import { noteSchema } from "./schema";

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
  const view = new EditorView(place, {
    state: EditorState.create({
      schema: noteSchema,
      plugins: [
        ...keyPlugins(),
        ...rowDocument(row, "body", { cursors: { person } }),
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
      const state = view.state.apply(transaction);
      view.updateState(state);
      onState(state);
    },
  });
  onState(view.state);
  return {
    view,
    close: () => view.destroy(),
  };
}

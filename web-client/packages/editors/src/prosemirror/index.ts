/** ProseMirror, and TipTap above it, on a field of type `document`. */

import type { RowHandle } from "@corella/client";
import { type LoroDocType, LoroSyncPlugin, LoroUndoPlugin, redo, undo } from "loro-prosemirror";
import { EditorState, Plugin } from "prosemirror-state";

import { type RowUndo, undoManager } from "../undo.js";
import { RowCursorStore } from "./cursor-store.js";
import { type CursorOptions, cursorPlugins } from "./cursors.js";
import { marksOfAll } from "./marks.js";
import { remoteChanges } from "./remote-changes.js";
import { selectionBeforeKeys } from "./selection.js";
import { treeOf } from "./tree.js";

export { canRedo, canUndo, redo, undo } from "loro-prosemirror";
export type { CursorOptions } from "./cursors.js";
export { type EditingPerson, type EditingPresence, presenceOf } from "./presence.js";

/** What a binding shows of others and shares with others. */
export interface RowDocumentOptions {
  /** Shows this person's cursor to the others in the row, and theirs here. */
  readonly cursors?: CursorOptions;
  /** Whose steps Mod-z and Mod-y take back. Leave `prosemirror-history` out: it takes back what others wrote. */
  readonly undo?: RowUndo;
}

/**
 * The plugins that keep an editor and the tree under `field` the same, an empty one included. Wait for `row.ready` before.
 *
 * Undo is this person's own. After a refusal, when the row has another document, the editor goes on with that one.
 *
 * ```ts
 * new EditorView(place, { state: EditorState.create({ schema, plugins: [...rowDocument(row, "body"), keymap(baseKeymap)] }) });
 * ```
 */
export function rowDocument(row: RowHandle, field: string, options: RowDocumentOptions = {}): Plugin[] {
  let bound = bind(row, field, options);
  const keeper: Plugin = new Plugin({
    props: { handleKeyDown: (view, event) => takesBack(event)?.(view.state, view.dispatch) !== undefined },
    view: (view) => {
      const stop = row.onReplaced(() => {
        const { doc, schema, plugins } = view.state;
        const others = plugins.filter((plugin) => !bound.includes(plugin));
        bound = bind(row, field, options);
        // A new state, of new nodes: loro-prosemirror remembers in which document it has seen a node.
        view.updateState(
          EditorState.create({
            doc: schema.nodeFromJSON(doc.toJSON()),
            plugins: others.flatMap((plugin) => (plugin === keeper ? [keeper, ...bound] : [plugin])),
          }),
        );
      });
      return { destroy: stop };
    },
  });
  return [keeper, ...bound];
}

function bind(row: RowHandle, field: string, { cursors, undo: shared }: RowDocumentOptions): Plugin[] {
  const tree = treeOf(row, field);
  // loro-prosemirror names the containers that it makes at a document's root; a row's document is wider than that.
  const doc = row.doc as LoroDocType;
  const store = cursors && new RowCursorStore(row, cursors.person);
  return [
    selectionBeforeKeys(),
    LoroSyncPlugin({ doc, containerId: tree.id }),
    remoteChanges(tree, () => store?.enter()),
    LoroUndoPlugin({ doc, undoManager: shared?.manager ?? undoManager(doc) }),
    marksOfAll(doc),
    ...(store && cursors ? cursorPlugins(store, cursors) : []),
  ];
}

/** What a key asks to be taken back or made again. */
function takesBack({ key, altKey, ctrlKey, metaKey, shiftKey }: KeyboardEvent): typeof undo | undefined {
  const isMac = /Mac|iP(hone|[oa]d)/.test(navigator.platform);
  if (altKey || !(isMac ? metaKey : ctrlKey)) {
    return undefined;
  }
  switch (key.toLowerCase()) {
    case "z":
      return shiftKey ? redo : undo;
    case "y":
      return isMac || shiftKey ? undefined : redo;
    default:
      return undefined;
  }
}

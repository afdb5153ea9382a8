/** How changes that this editor did not make reach it without moving the person's cursor. */

import type { LoroDoc, LoroEventBatch, LoroMap } from "loro-crdt";
import { createNodeFromLoroObj, type LoroNode, type LoroNodeMapping, loroSyncPluginKey } from "loro-prosemirror";
import { Fragment, type Node, Slice } from "prosemirror-model";
import { Plugin, Selection, TextSelection } from "prosemirror-state";
import type { EditorView } from "prosemirror-view";

import { placeOf, positionOf, textChanges } from "./places.js";
import { noticeSelection } from "./selection.js";

/**
 * Takes over from `LoroSyncPlugin` what it does with changes from elsewhere.
 *
 * That plugin looks the selection up in the text as it is after the change, and sets it once more a moment later:
 * whoever types meanwhile types in the wrong place. Here the selection moves in the transaction that brings the
 * change, and stays behind the letter that it was behind, so that two people who type at one place keep their words.
 *
 * It also writes back what it was given, tidied: when two editors tidy the same spot at once, text is doubled. Here
 * only the person's own edits are written. `onBound` is called when the document is on the screen.
 */
export function remoteChanges(body: LoroMap, onBound: () => void): Plugin {
  // An edit and what `LoroSyncPlugin` appends to it pass the filter one directly after the other.
  let isFromElsewhere = false;
  return new Plugin({
    filterTransaction: (transaction) => {
      const step: unknown = transaction.getMeta(loroSyncPluginKey)?.type;
      if (step === "doc-changed") {
        return !isFromElsewhere;
      }
      isFromElsewhere = step !== undefined;
      return true;
    },
    view: () => {
      let unsubscribe: (() => void) | undefined;
      let silenced: unknown;
      return {
        update: (view) => {
          const sync = loroSyncPluginKey.getState(view.state);
          // It subscribes anew whenever the editor's plugins change.
          if (sync?.docSubscription && sync.docSubscription !== silenced) {
            silenced = sync.docSubscription;
            sync.docSubscription();
            unsubscribe ??= body.subscribe((event) => bringIn(view, body, event));
            onBound();
          }
          // Selections of whole blocks are looked up by the node that holds the blocks.
          sync?.mapping.set(body.id, view.state.doc);
        },
        destroy: () => unsubscribe?.(),
      };
    },
  });
}

function bringIn(view: EditorView, body: LoroMap, event: LoroEventBatch): void {
  const sync = loroSyncPluginKey.getState(view.state);
  if (sync === undefined || view.isDestroyed) {
    return;
  }
  sync.changedBy = event.by;
  // An own edit is on the screen already; taking one back is not.
  if (event.by === "local" && event.origin !== "undo") {
    return;
  }
  noticeSelection();
  const { doc, mapping } = sync;
  const { doc: before, selection, storedMarks, schema } = view.state;
  const anchor = placeOf(before, selection.anchor, mapping);
  const head = placeOf(before, selection.head, mapping);

  const changes = textChanges(doc, event);
  forgetChanged(doc, event, mapping);
  // Two edits can leave a tree that the schema does not allow, and then there is no node for it.
  const tree: Node | null = createNodeFromLoroObj(schema, body as LoroNode, mapping);
  const content = new Slice(tree?.content ?? Fragment.empty, 0, 0);
  const transaction = view.state.tr.replace(0, before.content.size, content);

  const after = transaction.doc;
  const $anchor = after.resolve(positionOf(anchor, before, after, mapping, changes));
  const $head = after.resolve(positionOf(head, before, after, mapping, changes));
  view.dispatch(
    transaction
      .setSelection(selection instanceof TextSelection ? TextSelection.between($anchor, $head) : Selection.near($head))
      .setStoredMarks(storedMarks)
      .setMeta(loroSyncPluginKey, { type: "non-local-updates" }),
  );
}

/** The nodes of changed containers and of all that hold them are made anew. */
function forgetChanged(doc: LoroDoc, event: LoroEventBatch, mapping: LoroNodeMapping): void {
  for (const { target } of event.events) {
    mapping.delete(target);
    for (let holder = doc.getContainerById(target)?.parent(); holder !== undefined; holder = holder.parent()) {
      mapping.delete(holder.id);
    }
  }
}

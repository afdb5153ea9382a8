/** A field of type `document`: the tree of nodes that an editor shows. */

import type { RowHandle } from "@corella/client";
import { LoroList, LoroMap, LoroText } from "loro-crdt";
import { ATTRIBUTES_KEY, CHILDREN_KEY, NODE_NAME_KEY } from "loro-prosemirror";

/**
 * The map that holds the tree, ready for an editor.
 *
 * The server fills the tree of a row that it creates. One that is empty all the same gets a paragraph with an empty
 * text. Its children are mergeable here as there, so that two clients that find it empty at once keep what both write,
 * and the text is there from the start, so that two people who begin at once write into one text: loro-prosemirror
 * joins neighboring texts, and two clients that do so at once would double letters.
 */
export function treeOf(row: RowHandle, field: string): LoroMap {
  const tree = row.map(field);
  if (tree.size === 0) {
    tree.set(NODE_NAME_KEY, "doc");
    tree.ensureMergeableMap(ATTRIBUTES_KEY);
    const paragraph = tree.ensureMergeableList(CHILDREN_KEY).pushContainer(new LoroMap());
    paragraph.set(NODE_NAME_KEY, "paragraph");
    paragraph.setContainer(ATTRIBUTES_KEY, new LoroMap());
    paragraph.setContainer(CHILDREN_KEY, new LoroList()).pushContainer(new LoroText());
    row.doc.commit({ origin: "sys:init" });
  }
  return tree;
}

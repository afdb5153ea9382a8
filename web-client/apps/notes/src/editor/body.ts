/** The note's body in the document: the tree of nodes that the editor shows. */

import type { RowHandle } from "@corella/client";
import { LoroMap, LoroText } from "loro-crdt";
import { ATTRIBUTES_KEY, CHILDREN_KEY, NODE_NAME_KEY } from "loro-prosemirror";

/**
 * The map that holds the body, filled with one empty paragraph if nothing is in it.
 *
 * The server fills the body of a note that it creates. The children are mergeable here as there, so that two
 * clients that find an empty body at once keep what both of them write.
 */
export function bodyOf(row: RowHandle): LoroMap {
  const body = row.map("body");
  if (body.size === 0) {
    body.set(NODE_NAME_KEY, "doc");
    body.ensureMergeableMap(ATTRIBUTES_KEY);
    const paragraph = body.ensureMergeableList(CHILDREN_KEY).pushContainer(new LoroMap());
    paragraph.set(NODE_NAME_KEY, "paragraph");
    paragraph.ensureMergeableMap(ATTRIBUTES_KEY);
    // Two people who begin at once write into this one text; without it, each would bring a text of their own.
    paragraph.ensureMergeableList(CHILDREN_KEY).pushContainer(new LoroText());
    row.doc.commit({ origin: "sys:init" });
  }
  return body;
}

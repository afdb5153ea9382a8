/** The note's body in the document: the tree of nodes that the editor shows. */

import type { RowHandle } from "@corella/client";
import { LoroList, LoroMap, LoroText } from "loro-crdt";
import { ATTRIBUTES_KEY, CHILDREN_KEY, NODE_NAME_KEY } from "loro-prosemirror";

/**
 * The map that holds the body, ready for an editor.
 *
 * The server fills the body of a note that it creates. One that is empty all the same gets a paragraph; its children
 * are mergeable here as there, so that two clients that find it empty at once keep what both of them write.
 */
export function bodyOf(row: RowHandle): LoroMap {
  const body = row.map("body");
  if (body.size === 0) {
    body.set(NODE_NAME_KEY, "doc");
    body.ensureMergeableMap(ATTRIBUTES_KEY);
    const paragraph = body.ensureMergeableList(CHILDREN_KEY).pushContainer(new LoroMap());
    paragraph.set(NODE_NAME_KEY, "paragraph");
    paragraph.setContainer(ATTRIBUTES_KEY, new LoroMap());
    paragraph.setContainer(CHILDREN_KEY, new LoroList());
  }
  giveText(body);
  row.doc.commit({ origin: "sys:init" });
  return body;
}

/**
 * Puts an empty text into the one paragraph of a fresh note.
 *
 * Two people who begin at once then write into that one text. Otherwise each would bring a text, and loro-prosemirror,
 * which joins neighboring texts, would do so twice and double letters.
 */
function giveText(body: LoroMap): void {
  const paragraph = onlyChild(body);
  const texts = paragraph instanceof LoroMap ? paragraph.get(CHILDREN_KEY) : undefined;
  if (texts instanceof LoroList && texts.length === 0) {
    texts.pushContainer(new LoroText());
  }
}

function onlyChild(node: LoroMap): unknown {
  const children = node.get(CHILDREN_KEY);
  return children instanceof LoroList && children.length === 1 ? children.get(0) : undefined;
}

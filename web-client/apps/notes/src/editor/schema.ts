/** What a note's body may consist of. */

import { type MarkSpec, Schema } from "prosemirror-model";
import { marks, nodes } from "prosemirror-schema-basic";
import { bulletList, listItem, orderedList } from "prosemirror-schema-list";

const followed = /^(https?:|mailto:)/i;

/** A link from another person's hand leads to the web or a mailbox, or nowhere: never to a script. */
const link: MarkSpec = {
  ...marks.link,
  toDOM: (mark) => {
    const href: unknown = mark.attrs["href"];
    return typeof href === "string" && followed.test(href)
      ? ["a", { href, rel: "noopener noreferrer nofollow", target: "_blank" }, 0]
      : ["span", 0];
  },
};

export const noteSchema = new Schema({
  nodes: {
    doc: nodes.doc,
    paragraph: nodes.paragraph,
    heading: nodes.heading,
    blockquote: nodes.blockquote,
    code_block: nodes.code_block,
    horizontal_rule: nodes.horizontal_rule,
    bullet_list: { ...bulletList, group: "block", content: "list_item+" },
    ordered_list: { ...orderedList, group: "block", content: "list_item+" },
    list_item: { ...listItem, content: "paragraph block*" },
    hard_break: nodes.hard_break,
    text: nodes.text,
  },
  marks: { link, em: marks.em, strong: marks.strong, code: marks.code },
});

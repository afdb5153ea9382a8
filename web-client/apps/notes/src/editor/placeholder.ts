/** The hint in an empty note. */

import { Plugin } from "prosemirror-state";
import { Decoration, DecorationSet } from "prosemirror-view";

export function placeholder(text: string): Plugin {
  return new Plugin({
    props: {
      decorations: ({ doc }) => {
        const only = doc.childCount === 1 ? doc.firstChild : null;
        return only?.type.name === "paragraph" && only.content.size === 0
          ? DecorationSet.create(doc, [
              Decoration.node(0, only.nodeSize, { class: "placeholder", "data-placeholder": text }),
            ])
          : DecorationSet.empty;
      },
    },
  });
}

/** Which marks a document takes. */

import type { LoroDoc } from "loro-crdt";
import type { Schema } from "prosemirror-model";
import { Plugin } from "prosemirror-state";

type Styles = Record<string, { readonly expand: "after" | "none" }>;

const known = new WeakMap<LoroDoc, Styles>();

/**
 * Lets a document take the marks of this editor's schema beside those of others.
 *
 * loro-prosemirror makes them known once for each document: the marks of a second editor, on another field and with another
 * schema, would be refused.
 */
export function marksOfAll(doc: LoroDoc): Plugin {
  return new Plugin({
    state: {
      init: (_, { schema }) => {
        const all = { ...known.get(doc), ...stylesOf(schema) };
        known.set(doc, all);
        doc.configTextStyle(all);
      },
      apply: () => {},
    },
  });
}

function stylesOf({ marks }: Schema): Styles {
  return Object.fromEntries(Object.entries(marks).map(([name, { spec }]) => [name, { expand: spec.inclusive === false ? "none" : "after" }]));
}

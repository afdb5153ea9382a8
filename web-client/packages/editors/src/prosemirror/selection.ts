/** The editor's knowledge of where the person's cursor is. */

import { Plugin } from "prosemirror-state";

/**
 * Makes the editor look at the browser's selection now.
 *
 * The browser tells of a moved cursor a little late. A change that is drawn in between would put the cursor back, and
 * an arrow key would be lost.
 */
export function noticeSelection(): void {
  document.dispatchEvent(new Event("selectionchange"));
}

/**
 * Makes the editor look before each key.
 *
 * A page that is busy, with drawing what others do, is handed its keys one directly after the other, before it is told
 * what the first of them did to the cursor: Enter would break the line that the person had left.
 */
export function selectionBeforeKeys(): Plugin {
  return new Plugin({
    props: {
      handleDOMEvents: {
        keydown: (view) => {
          if (!view.composing) {
            noticeSelection();
          }
          return false;
        },
      },
    },
  });
}

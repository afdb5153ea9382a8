/** The editor's knowledge of where the person's cursor is. */

import { Plugin } from "prosemirror-state";

/** As prosemirror-view has it; its own timer is the later of the two. */
const FOCUS_MILLISECONDS = 20;

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
  let isMoved = false;
  return new Plugin({
    props: {
      handleDOMEvents: {
        // So long after it is entered the editor puts the cursor where it knows it, and a key pressed meanwhile would be lost.
        focus: (view) => {
          isMoved = false;
          setTimeout(() => {
            if (isMoved && !view.isDestroyed && !view.composing) {
              noticeSelection();
            }
          }, FOCUS_MILLISECONDS);
          return false;
        },
        keydown: (view) => {
          isMoved = true;
          if (!view.composing) {
            noticeSelection();
          }
          return false;
        },
      },
    },
  });
}

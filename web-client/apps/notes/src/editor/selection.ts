/** The editor's knowledge of where the person's cursor is. */

/**
 * Makes the editor look at the browser's selection now.
 *
 * The browser tells of a moved cursor a little late. A change that is drawn in between would put the cursor back, and
 * an arrow key would be lost.
 */
export function noticeSelection(): void {
  document.dispatchEvent(new Event("selectionchange"));
}

/** Text for large documents: never the same twice in a row, so that no compression makes it small. */

/** A text of so many characters, the same for each seed. */
export function longText(length: number, seed: number): string {
  let state = seed >>> 0;
  const letters = new Uint8Array(length);
  for (let index = 0; index < length; index += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    letters[index] = 97 + ((state >>> 24) % 26);
  }
  return new TextDecoder().decode(letters);
}

/** Marks by which a row's document is known not to have changed. */

/** Never the same twice, for a row that was removed and came back either. */
export function newStamp(): number {
  return Math.random();
}

/** The smallest edit between two texts, and where positions go under edits. */

import type { Delta } from "loro-crdt";

/** Takes `removed` characters away at `start` and puts `inserted` there. In UTF-16 units, as `LoroText` and the page count. */
export interface Edit {
  readonly start: number;
  readonly removed: number;
  readonly inserted: string;
}

/**
 * What leads from `before` to `after`; `undefined` if they are equal.
 *
 * `caret` is where the caret is in `after`: among equal letters it says which of them are the new ones.
 */
export function editBetween(before: string, after: string, caret: number = after.length): Edit | undefined {
  if (before === after) {
    return undefined;
  }
  const shorter = Math.min(before.length, after.length);
  let tail = 0;
  const mostTail = Math.min(shorter, after.length - caret);
  while (tail < mostTail && before[before.length - 1 - tail] === after[after.length - 1 - tail]) {
    tail += 1;
  }
  let start = 0;
  while (start < shorter - tail && before[start] === after[start]) {
    start += 1;
  }
  while (tail < shorter - start && before[before.length - 1 - tail] === after[after.length - 1 - tail]) {
    tail += 1;
  }
  // Half of a character of two units is no place to cut at.
  if (isInsidePair(before, start) || isInsidePair(after, start)) {
    start -= 1;
  }
  if (isInsidePair(before, before.length - tail) || isInsidePair(after, after.length - tail)) {
    tail -= 1;
  }
  return { start, removed: before.length - tail - start, inserted: after.slice(start, after.length - tail) };
}

function isInsidePair(text: string, at: number): boolean {
  const [left, right] = [text.charCodeAt(at - 1), text.charCodeAt(at)];
  return left >= 0xd800 && left < 0xdc00 && right >= 0xdc00 && right < 0xe000;
}

/**
 * Where a position is after a change. What is inserted at the position itself comes to stand behind it, so that a caret
 * stays behind the letter that it was behind.
 */
export function positionAfter(position: number, delta: readonly Delta<string>[]): number {
  let moved = position;
  let reached = 0;
  for (const { retain = 0, delete: removed = 0, insert = "" } of delta) {
    if (reached >= position && insert !== "") {
      break;
    }
    if (reached > position) {
      break;
    }
    moved += insert.length - Math.min(removed, Math.max(0, position - reached));
    reached += retain + removed;
  }
  return moved;
}

/** The text after a change. */
export function textAfter(text: string, delta: readonly Delta<string>[]): string {
  let result = "";
  let reached = 0;
  for (const { retain = 0, delete: removed = 0, insert = "" } of delta) {
    result += text.slice(reached, reached + retain) + insert;
    reached += retain + removed;
  }
  return result + text.slice(reached);
}

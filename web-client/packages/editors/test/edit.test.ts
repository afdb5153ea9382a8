import fc from "fast-check";
import { LoroDoc } from "loro-crdt";
import { describe, expect, test } from "vitest";

import { editBetween, positionAfter, textAfter } from "../src/edit.js";

describe("the smallest edit", () => {
  test("is found where the caret says, among equal letters", () => {
    expect(editBetween("aaa", "aaaa", 1)).toEqual({ start: 0, removed: 0, inserted: "a" });
    expect(editBetween("aaa", "aaaa", 4)).toEqual({ start: 3, removed: 0, inserted: "a" });
    expect(editBetween("aaaa", "aaa", 2)).toEqual({ start: 2, removed: 1, inserted: "" });
    expect(editBetween("same", "same")).toBeUndefined();
  });

  test("does not cut a character in two", () => {
    expect(editBetween("😀", "😁")).toEqual({ start: 0, removed: 2, inserted: "😁" });
    expect(editBetween("a😀b", "a😁b", 3)).toEqual({ start: 1, removed: 2, inserted: "😁" });
  });

  test("leads from any text to any other, and Loro takes it", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 12 });
    fc.assert(
      fc.property(text, text, fc.nat(), (before, after, seed) => {
        const edit = editBetween(before, after, after.length === 0 ? 0 : seed % (after.length + 1));
        const loro = new LoroDoc().getText("t");
        loro.insert(0, before);
        if (edit !== undefined) {
          loro.delete(edit.start, edit.removed);
          loro.insert(edit.start, edit.inserted);
        }
        expect(loro.toString()).toBe(after);
      }),
    );
  });
});

describe("a position", () => {
  test.each([
    [2, [{ insert: "xx" }], 4],
    [0, [{ insert: "xx" }], 0],
    [2, [{ retain: 2 }, { insert: "xx" }], 2],
    [3, [{ retain: 1 }, { delete: 1 }], 2],
    [2, [{ retain: 1 }, { delete: 5 }], 1],
    [5, [{ retain: 1 }, { delete: 2 }, { insert: "abc" }], 6],
  ])("%i after %j is %i", (position, delta, moved) => {
    expect(positionAfter(position, delta as never)).toBe(moved);
  });
});

test("a text after a change", () => {
  expect(textAfter("abcdef", [{ retain: 1 }, { delete: 2 }, { insert: "X" }, { retain: 1 }, { insert: "Y" }])).toBe("aXdYef");
});

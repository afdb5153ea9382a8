import type { RowHandle } from "@corella/client";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";

import { bindTextInput } from "../src/text-input.js";
import { Other, openRow } from "./support/rows.js";

interface Bound {
  readonly row: RowHandle;
  readonly input: HTMLTextAreaElement;
  readonly other: Other;
}

function bound(): Bound {
  const row = openRow();
  const input = document.createElement("textarea");
  document.body.append(input);
  onTestFinished(() => input.remove());
  onTestFinished(bindTextInput(input, row, "notes"));
  return { row, input, other: new Other(row) };
}

/** As a browser types: the text at the selection gives way, and the caret stands behind the new text. */
function type(input: HTMLTextAreaElement, text: string, at?: number, until?: number): void {
  const [start, end] = [at ?? input.selectionStart, until ?? at ?? input.selectionEnd];
  input.setRangeText(text, start, end, "end");
  input.dispatchEvent(new Event("input"));
}

const textOf = (row: RowHandle): string => row.text("notes").toString();

describe("a bound textarea", () => {
  test("takes the first letter of an empty text", () => {
    const { row, input } = bound();
    type(input, "a");
    expect([textOf(row), input.value]).toEqual(["a", "a"]);
  });

  test("writes only what changed", () => {
    const { row, input, other } = bound();
    type(input, "The quick fox");
    other.exchange();
    other.write("notes", 0, 3, "A");
    type(input, "brown ", 10);
    type(input, "slow", 4, 9);
    other.exchange();
    expect(textOf(row)).toBe("A slow brown fox");
    expect(input.value).toBe("A slow brown fox");
  });

  test("keeps caret and selection among their letters while others write", () => {
    const { input, other } = bound();
    type(input, "one two three");
    other.exchange();
    input.setSelectionRange(4, 7, "backward");
    other.write("notes", 0, 0, "zero ");
    other.write("notes", 18, 0, " four");
    other.exchange();
    expect(input.value).toBe("zero one two three four");
    expect([input.selectionStart, input.selectionEnd, input.selectionDirection]).toEqual([9, 12, "backward"]);
    // What comes in at the caret comes in behind it.
    input.setSelectionRange(5, 5);
    other.write("notes", 5, 0, "here ");
    other.exchange();
    expect(input.selectionStart).toBe(5);
  });

  test("leaves the element alone while a word is composed, and loses nothing", () => {
    const { row, input, other } = bound();
    type(input, "ab");
    other.exchange();
    input.setSelectionRange(1, 1);
    input.dispatchEvent(new CompositionEvent("compositionstart"));
    type(input, "に", 1);
    other.write("notes", 0, 0, ">> ");
    other.write("notes", 5, 0, " <<");
    other.exchange();
    expect(input.value).toBe("aにb");
    expect(textOf(row)).toBe(">> ab <<");
    type(input, "日本", 1, 2);
    input.dispatchEvent(new CompositionEvent("compositionend"));
    expect(textOf(row)).toBe(">> a日本b <<");
    expect(input.value).toBe(">> a日本b <<");
    expect(input.selectionStart).toBe(6);
  });

  test("takes back its own steps, not the others'", () => {
    const { row, input, other } = bound();
    type(input, "mine");
    other.exchange();
    other.write("notes", 4, 0, " theirs");
    other.exchange();
    input.dispatchEvent(new KeyboardEvent("keydown", { key: "z", ctrlKey: true, cancelable: true }));
    expect([textOf(row), input.value]).toEqual([" theirs", " theirs"]);
    input.dispatchEvent(new KeyboardEvent("keydown", { key: "Z", ctrlKey: true, shiftKey: true, cancelable: true }));
    expect([textOf(row), input.value]).toEqual(["mine theirs", "mine theirs"]);
  });

  test("shows the same as the document after anything that two people do", () => {
    const step = fc.record({ who: fc.constantFrom("input", "other", "exchange", "compose"), at: fc.nat(20), removed: fc.nat(4), text: fc.string({ unit: "grapheme", maxLength: 3 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const row = openRow();
        const input = document.createElement("textarea");
        const stop = bindTextInput(input, row, "notes");
        const other = new Other(row);
        const place = (at: number): number => [...input.value].slice(0, at).join("").length;
        for (const { who, at, removed, text } of steps) {
          const plain = text.replaceAll("\r", "");
          if (who === "input" || who === "compose") {
            if (who === "compose") {
              input.dispatchEvent(new CompositionEvent("compositionstart"));
              other.exchange();
            }
            type(input, plain, place(at), place(at + removed));
            if (who === "compose") {
              other.write("notes", 0, 0, "~");
              other.exchange();
              input.dispatchEvent(new CompositionEvent("compositionend"));
            }
          } else if (who === "other") {
            const theirs = [...other.doc.getMap("row").ensureMergeableText("notes").toString()];
            other.write("notes", theirs.slice(0, at).join("").length, theirs.slice(at, at + removed).join("").length, plain);
          } else {
            other.exchange();
          }
          expect(input.value).toBe(textOf(row));
        }
        other.exchange();
        expect(input.value).toBe(textOf(row));
        expect(input.value).toBe(other.doc.getMap("row").ensureMergeableText("notes").toString());
        stop();
      }),
      { numRuns: 60 },
    );
  });
});

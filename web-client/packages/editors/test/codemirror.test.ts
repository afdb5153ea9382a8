import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import type { RowHandle } from "@corella/client";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";

import { rowText } from "../src/codemirror.js";
import { RowUndo } from "../src/undo.js";
import { Other, openRow } from "./support/rows.js";

const textOf = (row: RowHandle): string => row.text("notes").toString();
const shown = (view: EditorView): string => view.state.doc.toString();

async function bound(row: RowHandle = openRow(), undo?: RowUndo): Promise<{ row: RowHandle; view: EditorView; other: Other }> {
  const view = new EditorView({ parent: document.body, state: EditorState.create({ extensions: [rowText(row, "notes", undo && { undo })] }) });
  onTestFinished(() => view.destroy());
  await Promise.resolve();
  return { row, view, other: new Other(row) };
}

describe("CodeMirror", () => {
  test("takes the first edits of an empty text", async () => {
    const { row, view } = await bound();
    view.dispatch({ changes: { from: 0, insert: "a" } });
    view.dispatch({ changes: { from: 1, insert: "b\nc" } });
    expect([textOf(row), shown(view)]).toEqual(["ab\nc", "ab\nc"]);
  });

  test("shows what is there, and what comes", async () => {
    const row = openRow();
    row.text("notes").insert(0, "there\r\nline");
    row.doc.commit();
    const { view, other } = await bound(row);
    expect(shown(view)).toBe("there\r\nline");
    other.exchange();
    other.write("notes", 0, 0, "now ");
    other.exchange();
    expect(shown(view)).toBe("now there\r\nline");
    view.dispatch({ changes: { from: view.state.doc.length, insert: "!" } });
    expect(textOf(row)).toBe("now there\r\nline!");
  });

  test("writes each of several changes where it belongs", async () => {
    const { row, view } = await bound();
    view.dispatch({ changes: { from: 0, insert: "abcdef" } });
    view.dispatch({ changes: [{ from: 0, to: 1, insert: "AA" }, { from: 3, insert: "-" }, { from: 5, to: 6 }] });
    expect(shown(view)).toBe("AAbc-de");
    expect(textOf(row)).toBe("AAbc-de");
  });

  test("keeps the selection among its letters", async () => {
    const { view, other } = await bound();
    view.dispatch({ changes: { from: 0, insert: "one two" }, selection: { anchor: 4, head: 7 } });
    other.exchange();
    other.write("notes", 0, 0, "zero ");
    other.exchange();
    expect([view.state.selection.main.anchor, view.state.selection.main.head]).toEqual([9, 12]);
  });

  test("of two editors on one row shows the same", async () => {
    const { row, view } = await bound();
    const second = await bound(row);
    view.dispatch({ changes: { from: 0, insert: "left" } });
    second.view.dispatch({ changes: { from: 4, insert: " right" } });
    expect([shown(view), shown(second.view), textOf(row)]).toEqual(["left right", "left right", "left right"]);
  });

  test("takes back its own steps, not the others'", async () => {
    const row = openRow();
    const undo = new RowUndo(row, { mergeMilliseconds: 0 });
    onTestFinished(() => undo.close());
    const { view, other } = await bound(row, undo);
    expect(undo.canUndo).toBe(false);
    view.dispatch({ changes: { from: 0, insert: "mine" } });
    other.exchange();
    other.write("notes", 4, 0, " theirs");
    other.exchange();
    expect(undo.canUndo).toBe(true);
    undo.undo();
    expect([shown(view), textOf(row)]).toEqual([" theirs", " theirs"]);
    undo.redo();
    expect(shown(view)).toBe("mine theirs");
  });

  test("shows the same as the document after anything that two people do", async () => {
    const step = fc.record({ who: fc.constantFrom("editor", "other", "exchange", "undo"), at: fc.nat(20), removed: fc.nat(4), text: fc.stringMatching(/^[ab\n]{0,3}$/) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const row = openRow();
        const undo = new RowUndo(row, { mergeMilliseconds: 0 });
        const { view, other } = await bound(row, undo);
        for (const { who, at, removed, text } of steps) {
          if (who === "editor") {
            const from = Math.min(at, view.state.doc.length);
            view.dispatch({ changes: { from, to: Math.min(from + removed, view.state.doc.length), insert: text } });
          } else if (who === "other") {
            other.write("notes", at, removed, text);
          } else if (who === "undo") {
            undo.undo();
          } else {
            other.exchange();
          }
          expect(shown(view)).toBe(textOf(row));
        }
        view.destroy();
      }),
      { numRuns: 60 },
    );
  });
});

// @vitest-environment jsdom
/** The binding to ProseMirror without a browser's input: what is in the document, and another document in its place. */

import type { RowHandle } from "@corella/client";
import { EphemeralStore, LoroDoc, type LoroMap } from "loro-crdt";
import { Schema } from "prosemirror-model";
import { EditorState } from "prosemirror-state";
import { EditorView } from "prosemirror-view";
import { expect, onTestFinished, test, vi } from "vitest";

import { presenceOf, rowDocument, undo } from "../src/prosemirror/index.js";

const schema = new Schema({
  nodes: { doc: { content: "paragraph+" }, paragraph: { content: "text*", toDOM: () => ["p", 0] }, text: {} },
  marks: {},
});

/** A row whose document a test exchanges for another. */
class TestRow {
  doc = new LoroDoc();
  readonly presence = new EphemeralStore();
  readonly presenceId = "1";
  readonly #listeners = new Set<() => void>();

  map(field: string): LoroMap {
    return this.doc.getMap("row").ensureMergeableMap(field);
  }

  onReplaced(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  replace(doc: LoroDoc): void {
    this.doc = doc;
    [...this.#listeners].forEach((listener) => listener());
  }
}

function edit(row: TestRow): EditorView {
  const plugins = rowDocument(row as unknown as RowHandle, "body");
  const view = new EditorView(document.createElement("div"), { state: EditorState.create({ schema, plugins }) });
  onTestFinished(() => view.destroy());
  return view;
}

/** loro-prosemirror begins in a timer without delay, and tells nobody; one that is set after it runs after it. */
const begun = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

const paragraphs = (row: TestRow): unknown[] => {
  const { children } = row.map("body").toJSON() as { readonly children: readonly { readonly children: readonly string[] }[] };
  return children.map((each) => each.children.join(""));
};

test("two that begin at once on an empty document keep what both write, in one copy", async () => {
  const [ada, bob] = [new TestRow(), new TestRow()];
  const [adas, bobs] = [edit(ada), edit(bob)];
  await vi.waitFor(() => expect([adas, bobs].map((view) => view.state.doc.childCount)).toEqual([1, 1]));
  await begun();
  adas.dispatch(adas.state.tr.insertText("first", 1));
  bobs.dispatch(bobs.state.tr.insertText("second", 1));
  ada.doc.import(bob.doc.export({ mode: "update" }));
  bob.doc.import(ada.doc.export({ mode: "update" }));
  await vi.waitFor(() => expect(adas.state.doc.toJSON()).toEqual(bobs.state.doc.toJSON()));
  expect(paragraphs(ada)).toEqual(paragraphs(bob));
  expect(paragraphs(ada).join("").length).toBe("firstsecond".length);
});

test("undo takes back this person's words and leaves the other's", async () => {
  const [ada, bob] = [new TestRow(), new TestRow()];
  const view = edit(ada);
  await vi.waitFor(() => expect(ada.map("body").size).toBeGreaterThan(0));
  await begun();
  bob.doc.import(ada.doc.export({ mode: "update" }));
  const others = edit(bob);
  await begun();
  view.dispatch(view.state.tr.insertText("mine", 1));
  bob.doc.import(ada.doc.export({ mode: "update" }));
  others.dispatch(others.state.tr.insertText(" theirs", 5));
  ada.doc.import(bob.doc.export({ mode: "update" }));
  await vi.waitFor(() => expect(view.state.doc.textContent).toBe("mine theirs"));
  undo(view.state, view.dispatch);
  await vi.waitFor(() => expect(view.state.doc.textContent).toBe(" theirs"));
  expect(paragraphs(ada)).toEqual([" theirs"]);
});

test("goes on with the document that takes the place of a refused one", async () => {
  const row = new TestRow();
  const view = edit(row);
  await begun();
  view.dispatch(view.state.tr.insertText("refused", 1));
  expect(paragraphs(row)).toEqual(["refused"]);
  const refused = row.doc;

  const source = new TestRow();
  const author = edit(source);
  await begun();
  author.dispatch(author.state.tr.insertText("as the server has it", 1));
  const doc = new LoroDoc();
  doc.import(source.doc.export({ mode: "snapshot" }));
  row.replace(doc);
  await vi.waitFor(() => expect(view.state.doc.textContent).toBe("as the server has it"));

  const before = refused.version().toJSON();
  view.dispatch(view.state.tr.insertText("still ", 1));
  expect(paragraphs(row)).toEqual(["still as the server has it"]);
  expect(refused.version().toJSON()).toEqual(before);
  // What comes from elsewhere is heard once.
  source.doc.import(doc.export({ mode: "update" }));
  author.dispatch(author.state.tr.insertText("!", author.state.doc.content.size - 1));
  doc.import(source.doc.export({ mode: "update" }));
  await vi.waitFor(() => expect(view.state.doc.textContent).toBe("still as the server has it!"));
});

test("what others say of themselves is a name and a color, or nothing", () => {
  const user = { name: "  Ada \n Lovelace ", color: "red; background: url(x)" };
  expect(presenceOf({ user, anchor: null, focus: null })).toEqual({ person: { name: "Ada Lovelace", color: "#6b7280" }, selection: undefined });
  expect(presenceOf({ user: { name: "Ada", color: "#0b69a3" }, anchor: new Uint8Array([1, 2]), focus: null })?.person.color).toBe("#0b69a3");
  expect([presenceOf({ user: { name: " " } }), presenceOf("ada"), presenceOf(undefined)]).toEqual([undefined, undefined, undefined]);
});

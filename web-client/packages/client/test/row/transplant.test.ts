import { LoroDoc, LoroList, LoroMap, LoroText } from "loro-crdt";
import { expect, test } from "vitest";

import { transplanted } from "../../src/row/transplant.js";

type Change = (row: LoroMap, doc: LoroDoc) => void;

/** A text field, a list field, and an editor's tree whose paragraph is a container of the seed's own making. */
const fill: Change = (row) => {
  row.set("title", "New");
  row.ensureMergeableText("notes").insert(0, "Hello");
  row.ensureMergeableList("items").push("one");
  const paragraph = row.ensureMergeableMap("body").ensureMergeableList("children").pushContainer(new LoroMap());
  paragraph.setContainer("children", new LoroList()).pushContainer(new LoroText());
};

const paragraph = (row: LoroMap): LoroText => (((row.get("body") as LoroMap).get("children") as LoroList).get(0) as LoroMap).get("children") as unknown as LoroText;
const bodyText = (row: LoroMap): LoroText => (paragraph(row) as unknown as LoroList).get(0) as LoroText;

function filled(...changes: readonly Change[]): LoroDoc {
  const doc = new LoroDoc();
  for (const change of [fill, ...changes]) {
    change(doc.getMap("row"), doc);
    doc.commit();
  }
  return doc;
}

function moved(edit: Change, others: Change = () => {}): unknown {
  const old = filled();
  const seed = old.oplogVersion();
  edit(old.getMap("row"), old);
  const fresh = filled(others);
  const result = transplanted(fresh, old, seed);
  // What was moved is what others can merge.
  const reader = new LoroDoc();
  reader.import(fresh.export({ mode: "snapshot" }));
  if (result !== undefined) {
    expect(reader.import(result.export({ mode: "update", from: fresh.oplogVersion() })).pending).toBeNull();
    expect(reader.toJSON()).toEqual(result.toJSON());
  }
  return result?.getMap("row").toJSON();
}

const plain = { title: "New", notes: "Hello", items: ["one"], body: { children: [{ children: [""] }] } };

test("a seed without edits leaves what is there", () => {
  expect(moved(() => {})).toEqual(plain);
});

test("edits of fields, of an editor's text and of new containers find their places", () => {
  const edit: Change = (row) => {
    row.set("title", "Mine");
    row.ensureMergeableText("notes").insert(5, " world");
    row.ensureMergeableList("items").push("two");
    bodyText(row).insert(0, "typed");
    const second = row.ensureMergeableMap("body").ensureMergeableList("children").pushContainer(new LoroMap());
    second.setContainer("children", new LoroList()).pushContainer(new LoroText()).insert(0, "second");
  };
  expect(moved(edit)).toEqual({
    title: "Mine",
    notes: "Hello world",
    items: ["one", "two"],
    body: { children: [{ children: ["typed"] }, { children: ["second"] }] },
  });
});

test("what others wrote meanwhile stays beside it", () => {
  const typed: Change = (row) => bodyText(row).insert(0, "typed ");
  const others: Change = (row) => bodyText(row).insert(0, "theirs ");
  expect(moved(typed, others)).toMatchObject({ body: { children: [{ children: ["typed theirs "] }] } });
});

test("edits without a place in what is there are given back", () => {
  expect(moved((row) => bodyText(row).insert(0, "typed"), (row) => (row.get("body") as LoroMap).ensureMergeableList("children").clear())).toBeUndefined();
  expect(moved((row) => row.ensureMergeableText("notes").insert(5, "!"), (row) => row.ensureMergeableText("notes").delete(0, 5))).toBeUndefined();
});

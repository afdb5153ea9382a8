/** Edits of every kind, in both directions, in a room of a declared entity and in one of the open entity. */

import { LoroMap, type LoroDoc, LoroText } from "loro-crdt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Server } from "../support/server.js";
import { sqliteJson } from "../support/sqlite.js";
import { converged, lateJoiner, stockClient } from "../support/stock.js";

let server: Server;
beforeAll(async () => {
  server = await Server.start("open");
});
afterAll(() => server.stop());

/** Where a document keeps containers of each kind. */
interface Places {
  readonly text: (doc: LoroDoc) => ReturnType<LoroDoc["getText"]>;
  readonly map: (doc: LoroDoc) => LoroMap;
  readonly list: (doc: LoroDoc) => ReturnType<LoroDoc["getList"]>;
  readonly movable: (doc: LoroDoc) => ReturnType<LoroDoc["getMovableList"]>;
  readonly tree: (doc: LoroDoc) => ReturnType<LoroDoc["getTree"]>;
}

const outline = (doc: LoroDoc): LoroMap => doc.getMap("row").ensureMergeableMap("outline");

const declared: Places = {
  text: (doc) => doc.getMap("row").ensureMergeableText("notes"),
  map: outline,
  list: (doc) => outline(doc).ensureMergeableList("list"),
  movable: (doc) => outline(doc).ensureMergeableMovableList("movable"),
  tree: (doc) => outline(doc).ensureMergeableTree("tree"),
};

const open: Places = {
  text: (doc) => doc.getText("text"),
  map: (doc) => doc.getMap("map"),
  list: (doc) => doc.getList("list"),
  movable: (doc) => doc.getMovableList("movable"),
  tree: (doc) => doc.getTree("tree"),
};

/** Edits in an order in which each finds what it needs; the sides take turns, and so build on each other's work. */
const edits: Readonly<Record<string, (places: Places, doc: LoroDoc) => void>> = {
  "text: insert": (places, doc) => places.text(doc).insert(0, "Grüße an 🐘 und alle "),
  "text: mark": (places, doc) => places.text(doc).mark({ start: 0, end: 5 }, "bold", true),
  "text: delete": (places, doc) => places.text(doc).delete(2, 3),
  "map: set": (places, doc) => {
    places.map(doc).set("a", { deep: [1, 2.5, null, true, "x"] });
    places.map(doc).set("b", "gone soon");
  },
  "map: delete": (places, doc) => places.map(doc).delete("b"),
  "map: nested": (places, doc) => places.map(doc).setContainer("nested", new LoroMap()).setContainer("text", new LoroText()).insert(0, "deep"),
  "list: insert": (places, doc) => {
    places.list(doc).insert(0, "one");
    places.list(doc).push({ two: 2 });
    places.list(doc).pushContainer(new LoroText()).insert(0, "three");
  },
  "list: delete": (places, doc) => places.list(doc).delete(0, 1),
  "movable list: insert": (places, doc) => ["x", "y", "z"].forEach((item) => places.movable(doc).push(item)),
  "movable list: move and set": (places, doc) => {
    places.movable(doc).move(2, 0);
    places.movable(doc).set(1, "X");
  },
  "tree: create": (places, doc) => {
    const root = places.tree(doc).createNode();
    root.data.set("name", "root");
    root.createNode().data.set("name", "first");
    root.createNode().data.set("name", "second");
  },
  "tree: move": (places, doc) => {
    const [first, second] = places.tree(doc).roots()[0]?.children() ?? [];
    first?.move(second);
  },
  "tree: delete": (places, doc) => {
    const leaves = places.tree(doc).getNodes().filter((node) => (node.children() ?? []).length === 0);
    leaves.slice(0, 1).forEach((leaf) => places.tree(doc).delete(leaf.id));
  },
};

describe.each([
  { kind: "a declared entity", room: "Task/both-ways", places: declared },
  { kind: "the open entity, by a room without a slash", room: "both-ways", places: open },
])("$kind", ({ room, places }) => {
  test("every kind of edit reaches the other side, and the other side builds on it", async () => {
    const ada = await (await stockClient(server, "ada")).document(room);
    const bob = await (await stockClient(server, "bob")).document(room);
    let [by, other] = [ada, bob];
    for (const [name, edit] of Object.entries(edits)) {
      const before = by.doc.opCount();
      edit(places, by.doc);
      by.doc.commit();
      expect(by.doc.opCount(), `${name} changes the document`).toBeGreaterThan(before);
      await converged(by.doc, other.doc);
      expect(places.text(other.doc).toDelta()).toEqual(places.text(by.doc).toDelta());
      [by, other] = [other, by];
    }
    await converged(ada.doc, await lateJoiner(server, room));
    expect([...ada.refusals, ...bob.refusals]).toEqual([]);
  });

  test("edits of both sides at one moment are merged", async () => {
    const at = `${room}-at-once`;
    const ada = await (await stockClient(server, "ada")).document(at);
    const bob = await (await stockClient(server, "bob")).document(at);
    for (let round = 0; round < 50; round += 1) {
      for (const [by, letter] of [[ada, "a"], [bob, "b"]] as const) {
        places.text(by.doc).insert(0, letter);
        places.list(by.doc).push(`${letter}${round}`);
        places.movable(by.doc).insert(0, `${letter}${round}`);
        places.map(by.doc).set(`${letter}${round}`, round);
        places.tree(by.doc).createNode().data.set("name", `${letter}${round}`);
        by.doc.commit();
      }
    }
    await converged(ada.doc, bob.doc);
    const text = places.text(ada.doc).toString();
    expect([text.length, text.replaceAll("a", "").length]).toEqual([100, 50]);
    expect(places.list(ada.doc).length).toBe(100);
    expect(places.tree(ada.doc).getNodes()).toHaveLength(100);
    await converged(ada.doc, await lateJoiner(server, at));
  });
});

test("two clients that begin a text at once keep what both wrote", async () => {
  const ada = await (await stockClient(server, "ada")).document("Task/first-words");
  const bob = await (await stockClient(server, "bob")).document("Task/first-words");
  declared.text(ada.doc).insert(0, "ada was here. ");
  declared.text(bob.doc).insert(0, "bob was here. ");
  ada.doc.commit();
  bob.doc.commit();
  await converged(ada.doc, bob.doc);
  expect(declared.text(ada.doc).toString()).toContain("ada was here. ");
  expect(declared.text(ada.doc).toString()).toContain("bob was here. ");
});

test("the table shows what the documents say", async () => {
  const task = await (await stockClient(server, "ada")).document("Task/in-the-table");
  const fields = task.doc.getMap("row");
  fields.set("title", "Water the plants");
  fields.set("status", "doing");
  fields.set("estimate", 2 ** 40);
  fields.set("position", 1.5);
  fields.set("urgent", true);
  declared.text(task.doc).insert(0, "twice a week");
  task.doc.commit();
  await expect
    .poll(() => sqliteJson(server, "select id, title, status, estimate, position, urgent, notes from Task where id = 'in-the-table'"))
    .toEqual([{ id: "in-the-table", title: "Water the plants", status: "doing", estimate: 2 ** 40, position: 1.5, urgent: 1, notes: "twice a week" }]);

  const board = await (await stockClient(server, "ada")).document("table-board");
  open.text(board.doc).insert(0, "on the board");
  open.list(board.doc).push("card");
  board.doc.commit();
  await expect
    .poll(async () => {
      const [row] = await sqliteJson(server, "select value from Board where id = 'table-board'");
      return typeof row?.["value"] === "string" ? (JSON.parse(row["value"]) as unknown) : undefined;
    })
    .toMatchObject(board.doc.toJSON() as object);
});

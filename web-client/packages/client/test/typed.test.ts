/** What `corella codegen ts` makes plugs into the client: checked by the compiler, and by a row with a renamed field. */

import { LoroDoc } from "loro-crdt";
import { expect, expectTypeOf, test } from "vitest";

import { typed } from "../src/public/schema.js";
import type { CorellaClient } from "../src/client.js";
import { schema, type Task } from "./generated/sample.js";

/** A client that answers from memory, and remembers what it was asked. */
function remembering(): { readonly client: CorellaClient; readonly asked: unknown[][]; readonly doc: LoroDoc } {
  const asked: unknown[][] = [];
  const doc = new LoroDoc();
  const fields = doc.getMap("row");
  const handle = {
    doc,
    text: (field: string) => fields.ensureMergeableText(field),
    get: (field: string) => fields.get(field),
    set: (field: string, value: string) => {
      fields.set(field, value);
      doc.commit();
    },
    onChange: (listener: (change: { by: string; fields: string[] }) => void) => {
      listener({ by: "local", fields: ["title", "state"] });
      return () => {};
    },
  };
  const answer = (name: string) => async (...args: unknown[]): Promise<unknown> => {
    asked.push([name, ...args]);
    return { id: "t1", row: {}, rows: [], seq: 1 };
  };
  const client = { row: () => handle, list: answer("list"), patch: answer("patch"), create: answer("create") };
  return { client: client as unknown as CorellaClient, asked, doc };
}

test("a renamed field is held under its first name", () => {
  const { client, doc } = remembering();
  const row = typed(client, schema).row("Task", "t1");
  row.set("heading", "one");
  expect(doc.getMap("row").toJSON()).toEqual({ title: "one" });
  expect(row.get("heading")).toBe("one");
  const seen: string[] = [];
  row.onChange((change) => seen.push(...change.fields));
  expect(seen).toEqual(["heading", "state"]);
});

test("what the compiler lets through is what is sent", async () => {
  const { client, asked } = remembering();
  const rows = typed(client, schema);
  await rows.patch("Task", "t1", { votes: { $inc: 2 }, tags: { $ops: [{ $push: "a" }, { $move: [0, 1] }] }, owner: null });
  await rows.create("Task", { heading: "h", effort: 3 });
  await rows.list("Task", { where: { state: "done", effort: { $gte: 3 }, tags: { $contains: "urgent" }, $not: { owner: { $exists: false } } }, orderBy: { dueAt: "desc" } });
  expect(asked).toEqual([
    ["patch", "Task", "t1", { votes: { $inc: 2 }, tags: { $ops: [{ $push: "a" }, { $move: [0, 1] }] }, owner: null }, undefined],
    ["create", "Task", { heading: "h", effort: 3 }, undefined],
    ["list", "Task", { where: { state: "done", effort: { $gte: 3 }, tags: { $contains: "urgent" }, $not: { owner: { $exists: false } } }, orderBy: { dueAt: "desc" } }],
  ]);
});

test("what the schema does not know is not compiled", () => {
  // Never run: the compiler alone is asked.
  const never = async (client: CorellaClient): Promise<void> => {
    const rows = typed(client, schema);
    // @ts-expect-error there is no such entity
    rows.row("Tusk", "t1");
    const row = rows.row("Task", "t1");
    // @ts-expect-error there is no such variant
    row.set("state", "lost");
    // @ts-expect-error a counter is not set
    row.set("votes", 3);
    // @ts-expect-error a plain field has no text
    row.text("heading");
    // @ts-expect-error a required field cannot be cleared
    row.set("heading", null);
    row.set("owner", null);
    row.text("body");
    row.increment("votes", 2);
    row.tree("outline");
    // @ts-expect-error an int is no text of a patch
    await rows.patch("Task", "t1", { heading: 3 });
    // @ts-expect-error there is no such field
    await rows.patch("Task", "t1", { title: "t" });
    // @ts-expect-error no operation of a counter
    await rows.patch("Task", "t1", { votes: { $push: 1 } });
    // @ts-expect-error no operation of a list
    await rows.patch("Task", "t1", { tags: { $inc: 1 } });
    // @ts-expect-error no operation of a map
    await rows.patch("Task", "t1", { settings: { $ops: [{ $push: 1 }] } });
    // @ts-expect-error a new row needs its effort
    await rows.create("Task", { heading: "h" });
    // @ts-expect-error no column of that name
    await rows.list("Task", { where: { heding: "x" } });
    // @ts-expect-error a value of another type
    await rows.list("Task", { where: { pinned: "yes" } });
    // @ts-expect-error json is only asked whether it is there
    await rows.list("Task", { where: { data: { $gt: 1 } } });
    // @ts-expect-error json has no order
    await rows.list("Task", { orderBy: { data: "asc" } });
    rows.mutate({ entity: "User", operation: "insert", fields: { name: "ada" } });
    // @ts-expect-error another entity's fields
    rows.mutate({ entity: "User", operation: "insert", fields: { heading: "h", effort: 1 } });
    const { row: task } = await rows.get("Task", "t1");
    expectTypeOf(task).toEqualTypeOf<Task>();
    expectTypeOf(task.state).toEqualTypeOf<"open" | "in progress" | "done">();
    expectTypeOf(task.owner).toEqualTypeOf<string | null>();
    // @ts-expect-error rows are read, not written
    task.heading = "x";
  };
  expect(never).toBeTypeOf("function");
});

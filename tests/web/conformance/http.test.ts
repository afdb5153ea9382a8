/** This project's own client against the real server: rows over HTTP, and how they meet the live ones. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { corellaClient, synced, type } from "../support/corella.js";
import { Server } from "../support/server.js";
import { sqlite } from "../support/sqlite.js";

let server: Server;
beforeAll(async () => {
  server = await Server.start("notes");
});
afterAll(() => server.stop());

const uuid = expect.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);

describe("the life of a row", () => {
  test("create, get, patch, delete, restore", async () => {
    const client = corellaClient(server, "ada");
    const created = await client.create("Note", { title: "Groceries", color: "green" });
    expect(created.row).toMatchObject({ id: created.id, title: "Groceries", color: "green", pinned: false, position: 0, author: "ada" });
    expect(created.id).toEqual(uuid);
    expect((await client.get("Note", created.id)).row).toEqual(created.row);

    const patched = await client.patch("Note", created.id, { pinned: true, body: "Milk and bread" });
    expect(patched.row).toMatchObject({ title: "Groceries", pinned: true });
    expect(patched.seq).toBeGreaterThan(created.seq);
    expect(await sqlite(server, `select title, pinned, color from Note where id = '${created.id}'`)).toEqual(["Groceries|1|green"]);

    await client.delete("Note", created.id);
    await expect(client.get("Note", created.id)).rejects.toMatchObject({ code: "row_not_found", status: 404 });
    expect(await sqlite(server, `select count(*) from Note where id = '${created.id}'`)).toEqual(["0"]);

    const restored = await client.restore("Note", created.id);
    expect(restored.row).toEqual(patched.row);
    expect((await client.get("Note", created.id)).row).toEqual(patched.row);
  });

  test("an own id, and the same request under one key", async () => {
    const client = corellaClient(server, "ada");
    const first = await client.create("Note", { title: "Mine" }, { id: "my-note", idempotencyKey: "k1" });
    expect(first.id).toBe("my-note");
    expect(await client.create("Note", { title: "Mine" }, { id: "my-note", idempotencyKey: "k1" })).toEqual(first);
    await expect(client.create("Note", { title: "Other" }, { idempotencyKey: "k1" })).rejects.toMatchObject({ code: "idempotency_conflict" });
    await expect(client.create("Note", { title: "Mine" }, { id: "my-note" })).rejects.toMatchObject({ code: "row_exists" });
  });

  test("lists are filtered, ordered, and read page by page", async () => {
    const client = corellaClient(server, "ada");
    for (let index = 0; index < 25; index += 1) {
      await client.create("Note", { title: `Page ${String(index).padStart(2, "0")}`, color: "blue", position: index % 5 });
    }
    const titles: unknown[] = [];
    let cursor: string | undefined;
    do {
      const page = await client.list("Note", {
        where: { color: "blue" },
        orderBy: [{ position: "desc" }, { title: "asc" }],
        limit: 10,
        ...(cursor === undefined ? {} : { cursor }),
      });
      expect(page.rows.length).toBeLessThanOrEqual(10);
      titles.push(...page.rows.map((row) => row["title"]));
      cursor = page.cursor;
    } while (cursor !== undefined);
    const expected = Array.from({ length: 25 }, (_, index) => ({ title: `Page ${String(index).padStart(2, "0")}`, position: index % 5 }))
      .sort((left, right) => right.position - left.position || (left.title < right.title ? -1 : 1))
      .map(({ title }) => title);
    expect(titles).toEqual(expected);
  });
});

test("what is written over HTTP is seen by who has the row open, and the other way round", async () => {
  const client = corellaClient(server, "ada");
  const { id } = await client.create("Note", { title: "Over HTTP" });
  const row = corellaClient(server, "bob").row("Note", id);
  await row.ready;
  expect(row.get("title")).toBe("Over HTTP");
  await client.patch("Note", id, { title: "Patched" });
  await expect.poll(() => row.get("title")).toBe("Patched");
  row.set("title", "Typed");
  row.set("pinned", true);
  await synced(row);
  expect((await client.get("Note", id)).row).toMatchObject({ title: "Typed", pinned: true });

  await client.delete("Note", id);
  await expect.poll(() => row.doc.getMap("meta").get("deleted")).toBe(true);
  row.set("title", "Typed after it was deleted");
  await client.restore("Note", id);
  await synced(row);
  expect((await client.get("Note", id)).row).toMatchObject({ title: "Typed after it was deleted" });
});

test("a whole text over HTTP becomes small edits, which merge with what is typed meanwhile", async () => {
  const open = await Server.start("open");
  try {
    const client = corellaClient(open, "ada");
    const { id } = await client.create("Task", { notes: "one two three" });
    const bobClient = corellaClient(open, "bob");
    const row = bobClient.row("Task", id);
    await row.ready;
    bobClient.setOffline(true);
    type(row, "notes", " four");
    await client.patch("Task", id, { notes: "one 2 three" });
    bobClient.setOffline(false);
    await synced(row);
    expect(row.text("notes").toString()).toBe("one 2 three four");
    expect((await client.get("Task", id)).row).toMatchObject({ notes: "one 2 three four" });
    // Beyond what a JavaScript number can count, whole numbers travel as text.
    await client.patch("Task", id, { estimate: "9007199254740993" });
    expect((await client.get("Task", id)).row).toMatchObject({ estimate: "9007199254740993" });
    expect(await sqlite(open, `select estimate from Task where id = '${id}'`)).toEqual(["9007199254740993"]);
  } finally {
    await open.stop();
  }
});

describe("failures have a code, a status, and words", () => {
  test.each<[string, number, (client: ReturnType<typeof corellaClient>) => Promise<unknown>]>([
    ["unknown_entity", 404, (client) => client.list("Nothing")],
    ["unknown_field", 422, (client) => client.create("Note", { title: "x", colour: "red" })],
    ["invalid_value", 422, (client) => client.create("Note", { title: 7 })],
    ["invalid_value", 422, (client) => client.create("Note", { title: "x", color: "purple" })],
    ["required_field", 422, (client) => client.create("User", { email: "a@b.c" })],
    ["row_not_found", 404, (client) => client.get("Note", "nobody")],
    ["row_not_found", 404, (client) => client.patch("Note", "nobody", { pinned: true })],
    ["invalid_row_id", 400, (client) => client.get("Note", "not an id")],
    ["invalid_query", 400, (client) => client.list("Note", { where: { title: { near: "x" } } })],
    ["invalid_query", 400, (client) => client.list("Note", { where: { colour: "red" } })],
    ["invalid_query", 400, (client) => client.list("Note", { cursor: "nowhere" })],
  ])("%s (%i)", async (code, status, call) => {
    const failure: unknown = await call(corellaClient(server, "ada")).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: "CorellaError", code, status });
    expect(failure).toHaveProperty("message", expect.stringMatching(/\w+ .*\w/));
  });

  test("unauthorized", async () => {
    const answer = await fetch(`${server.url}/api/entities/Note`);
    expect([answer.status, answer.headers.get("content-type")]).toEqual([401, "application/problem+json"]);
    expect(await answer.json()).toMatchObject({ status: 401, code: "unauthorized" });
  });
});

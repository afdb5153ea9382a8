/** Who is let in, with what, and when a client knows that it has everything. */

import { LoroDoc } from "loro-crdt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { journal } from "../support/journal.js";
import { Server } from "../support/server.js";
import { sqlite } from "../support/sqlite.js";
import { lateJoiner, StockClient, stockClient } from "../support/stock.js";

let server: Server;
beforeAll(async () => {
  server = await Server.start("open");
});
afterAll(() => server.stop());

/** `JoinErrorCode.AuthFailed`, as the stock client words it. */
const authFailed = /^Join failed: 2 - ./;

describe("tokens", () => {
  test("a join without one is refused", async () => {
    const stranger = new StockClient(server, undefined);
    await expect(stranger.document("Task/locked")).rejects.toThrow(authFailed);
    await expect(stranger.presence("Task/locked")).rejects.toThrow(authFailed);
  });

  test.each([
    ["no token at all", "not-a-token"],
    ["a token of another server", "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjk5OTk5OTk5OTl9.c2lnbmF0dXJl"],
    ["bytes that are no text", "\u0000\u0001\uffff"],
  ])("%s is refused, and the connection lives on", async (_, token) => {
    const client = new StockClient(server, token);
    await expect(client.document("Task/locked")).rejects.toThrow(authFailed);
    await client.client.ping();
  });

  test("what a refused client does is stored nowhere", async () => {
    const doc = new LoroDoc();
    doc.getMap("row").set("title", "smuggled");
    doc.commit();
    await expect(new StockClient(server, "not-a-token").document("Task/smuggled", doc)).rejects.toThrow(authFailed);
    expect(await sqlite(server, "select row_id from corella_rows where row_id = 'smuggled'")).toEqual([]);
  });

  test("an auth function is asked at the join, and its bytes are the token", async () => {
    let asked = 0;
    const client = new StockClient(server, async () => {
      asked += 1;
      return server.token("ada");
    });
    const { doc, refusals } = await client.document("Task/unlocked");
    doc.getMap("row").set("title", "open");
    doc.commit();
    await expect.poll(() => sqlite(server, "select title from Task where id = 'unlocked'")).toEqual(["open"]);
    expect(asked).toBe(1);
    expect(refusals).toEqual([]);
  });
});

describe("rooms that are not served", () => {
  test.each(["Nothing/n1", "Task/not an id", "Task/a/b", "Task/", "/n1", `Task/${"x".repeat(65)}`])("%s", async (room) => {
    const client = await stockClient(server, "ada");
    await expect(client.document(room)).rejects.toThrow(/^Join failed: 127 - ./);
    await client.document("Task/served-all-the-same");
  });
});

describe("a client learns that it has what the server has", () => {
  test("in a room where nothing is", async () => {
    const { room, doc } = await (await stockClient(server, "ada")).document("Task/empty");
    await room.waitForReachingServerVersion();
    expect(doc.opCount()).toBe(0);
  });

  test("as a new one, an up-to-date one, one that is behind, and one that is ahead", async () => {
    const ada = await (await stockClient(server, "ada")).document("Task/versions");
    await ada.room.waitForReachingServerVersion();
    ada.doc.getMap("row").set("title", "one");
    ada.doc.commit();
    await expect.poll(() => sqlite(server, "select title from Task where id = 'versions'")).toEqual(["one"]);

    const fresh = await lateJoiner(server, "Task/versions");
    expect(fresh.getMap("row").get("title")).toBe("one");

    const received = journal.receivedBytes("%LORTask/versions");
    const current = await (await stockClient(server, "bob")).document("Task/versions", fresh);
    await current.room.waitForReachingServerVersion();
    expect(journal.receivedBytes("%LORTask/versions")).toBe(received);
    await current.room.destroy();

    ada.doc.getMap("row").set("title", "two");
    ada.doc.commit();
    await expect.poll(() => sqlite(server, "select title from Task where id = 'versions'")).toEqual(["two"]);
    const behind = await (await stockClient(server, "bob")).document("Task/versions", fresh);
    await behind.room.waitForReachingServerVersion();
    expect(fresh.getMap("row").get("title")).toBe("two");
    await behind.room.destroy();

    fresh.getMap("row").set("title", "three, while away");
    fresh.commit();
    const ahead = await (await stockClient(server, "bob")).document("Task/versions", fresh);
    await ahead.room.waitForReachingServerVersion();
    await expect.poll(() => ada.doc.getMap("row").get("title")).toBe("three, while away");
    expect(ahead.refusals).toEqual([]);
  });
});

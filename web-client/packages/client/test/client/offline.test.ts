/** What outlives the page: rows, unsent edits, and whose they are. */

import "fake-indexeddb/auto";

import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";

import { IndexedDbStorage, MemoryStorage, type CorellaClient, type StorageWrite } from "../../src/index.js";
import { rowKey } from "../../src/storage/port.js";
import { isSynced, openClient, type, until } from "../support/clients.js";
import { FakeServer } from "../support/fake-server.js";

const ROOM = "Note/n1";

let server: FakeServer;
let count = 0;

beforeEach(async () => {
  const started = await FakeServer.start();
  server = started;
  onTestFinished(() => started.stop());
  count += 1;
});

/** A page of this user; `user` names a database of its own in each test. */
function page(user = "ada"): CorellaClient {
  return openClient(server.url, { user, token: () => user, tabs: "alone" });
}

const text = (room = ROOM, field = "body"): unknown => (server.document(room).getMap("row").toJSON() as Record<string, unknown>)[field];

describe("a page that is loaded again", () => {
  test("shows what was there without a server, and goes on", async () => {
    const first = page();
    const row = first.row("Note", "n1");
    await row.ready;
    type(row, "body", "kept");
    await until(row, (each) => isSynced(each) && each.saved);
    await first.close();
    await server.stop();

    const again = page().row("Note", "n1");
    await again.ready;
    expect(again.get("body")).toBe("kept");
    expect(again.status.kind).toBe("connecting");
  });

  test("sends what was written offline, although nobody opens the row", async () => {
    const first = page();
    const row = first.row("Note", "n1");
    await row.ready;
    type(row, "body", "online ");
    await until(row, isSynced);
    first.setOffline(true);
    type(row, "body", "offline ");
    type(row, "body", "twice");
    await vi.waitFor(() => expect(row.saved).toBe(true));
    await first.close();
    expect(text()).toBe("online ");

    const second = page();
    await server.until(() => text() === "online offline twice");
    await vi.waitFor(() => expect(second.sync).toMatchObject({ unsentRows: 0 }));
    // And only what was missing: the row is not fetched again.
    const joins = server.received.flatMap((frame) => (frame.type === "join" && frame.magic === "%LOR" ? [frame.version.length] : []));
    expect(joins.at(-1)).toBeGreaterThan(1);
  });

  test("that crashed has what was saved", async () => {
    await server.stop();
    const crashed = page();
    const row = crashed.row("Note", "n1");
    type(row, "body", "not closed in order");
    await vi.waitFor(() => expect(row.saved).toBe(true));
    // Nothing of the first page runs on: a second one reads what lies there.
    const again = page().row("Note", "n1");
    await again.ready;
    expect(again.get("body")).toBe("not closed in order");
  });

  test("keeps a row that was written by many small edits in few parts", async () => {
    const storage = new MemoryStorage();
    const client = openClient(server.url, { storage });
    const row = client.row("Note", "n1");
    await row.ready;
    for (let index = 0; index < 600; index += 1) {
      type(row, "body", "x");
    }
    await until(row, isSynced);
    await vi.waitFor(async () => expect((await storage.load(rowKey("Note", "n1")))?.parts.length).toBeLessThan(300));
    await client.close();
    await server.stop();
    const again = openClient(server.url, { storage }).row("Note", "n1");
    await again.ready;
    expect(again.get("body")).toBe("x".repeat(600));
  });

  test("lists what this device has", async () => {
    const first = page();
    const row = first.row("Note", "n1");
    await row.ready;
    row.set("title", "Groceries");
    const gone = first.row("Note", "n2");
    await gone.ready;
    gone.set("title", "Gone");
    gone.doc.getMap("meta").set("deleted", true);
    gone.doc.commit();
    await Promise.all([row, gone].map((each) => until(each, (one) => isSynced(one) && one.saved)));
    await first.close();
    await server.stop();
    const second = page();
    second.row("Note", "n3").set("title", "New");
    expect(await second.localRows("Note")).toEqual([
      { id: "n1", fields: { title: "Groceries" }, deleted: false, unsent: false },
      { id: "n2", fields: { title: "Gone" }, deleted: true, unsent: false },
      { id: "n3", fields: { title: "New" }, deleted: false, unsent: true },
    ]);
  });

  test("lists it page by page too", async () => {
    await server.stop();
    const client = openClient(server.url);
    const rows = ["a", "b", "c", "d", "e"].map((id) => client.row("Note", id));
    rows.forEach((row) => row.set("title", row.id));
    await vi.waitFor(() => expect(rows.every((row) => row.saved)).toBe(true));
    const idsOf = async (page: { after?: string; limit: number }): Promise<string[]> => (await client.localRows("Note", page)).map(({ id }) => id);
    expect(await idsOf({ limit: 2 })).toEqual(["a", "b"]);
    expect(await idsOf({ after: "b", limit: 2 })).toEqual(["c", "d"]);
    expect(await idsOf({ after: "d", limit: 2 })).toEqual(["e"]);
    expect(await idsOf({ after: "e", limit: 2 })).toEqual([]);
  });

  test("with more unsent rows than are opened at once sends them all", async () => {
    await server.stop();
    const first = page();
    const rows = Array.from({ length: 100 }, (_, index) => first.row("Note", `many-${index}`));
    for (const row of rows) {
      row.set("title", row.id);
    }
    await vi.waitFor(() => expect(rows.every((row) => row.saved)).toBe(true));
    await vi.waitFor(() => expect(first.sync.unsentRows).toBe(100));
    await first.close();
    await server.listen();
    const second = page();
    await server.until(() => rows.every((row) => text(`Note/${row.id}`, "title") === row.id));
    await vi.waitFor(() => expect(second.sync.unsentRows).toBe(0));
  });
});

describe("another user", () => {
  test("sees nothing of the first, who finds all again", async () => {
    await server.stop();
    const ada = page("ada-alone");
    const row = ada.row("Note", "n1");
    type(row, "body", "hers");
    await vi.waitFor(() => expect(row.saved).toBe(true));
    await ada.close();

    const bob = page("bob-alone");
    expect(await bob.localRows("Note")).toEqual([]);
    const his = bob.row("Note", "n1");
    type(his, "body", "his");
    await vi.waitFor(() => expect(his.saved).toBe(true));
    await bob.close();

    await server.listen();
    page("ada-alone");
    await server.until(() => text() === "hers");
  });

  test("'s token does not send the first one's work", async () => {
    await server.stop();
    const client = openClient(server.url, { user: "ada-mixed", token: () => "bob", tabs: "alone" });
    const row = client.row("Note", "n1");
    type(row, "body", "hers");
    await server.listen();
    client.setOffline(false);
    await until(row, (each) => each.status.kind === "refused");
    expect(row.status).toMatchObject({ code: "user_mismatch", message: expect.stringContaining("ada-mixed") });
    expect(server.updatesReceived(ROOM)).toEqual([]);
  });
});

/** Takes nothing while `full` is set. */
class SmallStorage extends MemoryStorage {
  full = false;
  override write(writes: readonly StorageWrite[]): Promise<void> {
    return this.full ? Promise.reject(new DOMException("no room", "QuotaExceededError")) : super.write(writes);
  }
}

describe("storage without room", () => {
  test("is told, loses nothing in memory, and is tried again", async () => {
    const storage = new SmallStorage();
    const client = openClient(server.url, { storage });
    const row = client.row("Note", "n1");
    await row.ready;
    const seen: string[] = [];
    client.onSync((sync) => seen.push(sync.storage.kind));
    storage.full = true;
    client.setOffline(true);
    type(row, "body", "too much");
    const { result, saved } = client.mutate({ entity: "Note", operation: "patch", id: "n9", fields: { title: "also" } });
    await vi.waitFor(() => expect(client.sync.storage).toMatchObject({ kind: "failing", code: "storage_full" }));
    expect(row.saved).toBe(false);
    row.close();
    // The row is closed, and still the only place that has the edit.
    const again = client.row("Note", "n1");
    await again.ready;
    expect(again.get("body")).toBe("too much");
    expect(await client.localRows("Note")).toMatchObject([{ id: "n1", fields: { body: "too much" }, unsent: true }]);
    const later = client.mutate({ entity: "Note", operation: "patch", id: "n9", fields: { title: "later" } });
    client.setOffline(false);
    await until(again, isSynced);
    expect(text()).toBe("too much");
    await later.result;

    storage.full = false;
    await Promise.all([saved, result]);
    await vi.waitFor(() => expect(again.saved).toBe(true));
    expect(seen).toContain("failing");
    expect(client.sync.storage).toEqual({ kind: "saved" });
  });

  test("gives up rows that are neither open nor unsent, those used longest ago first", async () => {
    const storage = new MemoryStorage();
    const first = openClient(server.url, { storage });
    for (const id of ["old", "new", "unsent"]) {
      const row = first.row("Note", id);
      await row.ready;
      row.set("title", `${id} ${"x".repeat(1000)}`);
      await until(row, isSynced);
      row.close();
      await storage.write([{ type: "use", key: rowKey("Note", id), at: id === "new" ? 2 : 1 }]);
    }
    first.setOffline(true);
    const row = first.row("Note", "unsent");
    await row.ready;
    row.set("pinned", true);
    await vi.waitFor(() => expect(row.saved).toBe(true));
    await first.close();
    await server.stop();
    const second = openClient(server.url, { storage, storageBytes: 3_300 });
    await vi.waitFor(async () => expect((await second.localRows("Note")).map((each) => each.id)).toEqual(["new", "unsent"]));
  });
});

describe("a store that cannot be read", () => {
  test("leaves the row to the server", async () => {
    server.edit(ROOM, (doc) => doc.getMap("row").set("title", "from the server"));
    const name = `corella/1/${server.url}/broken`;
    const storage = new IndexedDbStorage(name);
    await storage.write([{ type: "append", key: rowKey("Note", "n1"), part: Uint8Array.of(1, 2, 3) }]);
    storage.close();
    const row = page("broken").row("Note", "n1");
    await row.ready;
    expect(row.get("title")).toBe("from the server");
  });
});

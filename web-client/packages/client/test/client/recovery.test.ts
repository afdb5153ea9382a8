/** The rungs of recovery, each reached: resend, rejoin, rebuild, reset of the replica, quarantine. */

import { LoroDoc } from "loro-crdt";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";

import { MemoryStorage, type RowRejection } from "../../src/index.js";
import { rowKey } from "../../src/storage/port.js";
import { isSynced, openClient, type, until } from "../support/clients.js";
import { FakeServer, type Refusal } from "../support/fake-server.js";

const ROOM = "Note/n1";

let server: FakeServer;

beforeEach(async () => {
  const started = await FakeServer.start();
  server = started;
  onTestFinished(() => started.stop());
  server.edit(ROOM, (doc) => doc.getMap("row").ensureMergeableText("body").insert(0, "good"));
});

const joins = (): number => server.received.filter((frame) => frame.type === "join" && frame.magic === "%LOR").length;
const text = (): unknown => (server.document(ROOM).getMap("row").toJSON() as Record<string, unknown>)["body"];

function refuse(times: number, refusal: Refusal): void {
  let left = times;
  server.judge = () => (left-- > 0 ? refusal : undefined);
}

describe("resend", () => {
  test.each([{ status: "fragment_timeout" }, { status: "rate_limited", code: "rate_limited", message: "slowly" }] as const)("$status: the batch goes again in the room as it is", async (refusal) => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    refuse(1, refusal);
    type(row, "body", "+");
    expect(row.status).toEqual({ kind: "pending", count: 1 });
    await until(row, isSynced);
    expect(text()).toBe("good+");
    expect(joins()).toBe(1);
    expect(server.updatesReceived(ROOM)).toHaveLength(2);
  });

  test("that does not help leads to a new join", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    refuse(3, { status: "fragment_timeout" });
    type(row, "body", "+");
    await until(row, isSynced);
    expect(text()).toBe("good+");
    expect(joins()).toBe(2);
  });
});

describe("rejoin", () => {
  test("sends what the versions say is missing", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    refuse(1, { status: "unknown", code: "unavailable", message: "later" });
    type(row, "body", "+");
    await until(row, isSynced);
    expect(text()).toBe("good+");
    expect(joins()).toBe(2);
  });
});

describe("rebuild", () => {
  test("follows joins that mended nothing, and keeps the unsent edits and those made meanwhile", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    const before = row.doc;
    const rejections: RowRejection[] = [];
    row.onRejected((rejection) => rejections.push(rejection));
    refuse(3, { status: "unknown", code: "missing_dependencies", message: "?" });
    type(row, "body", "+");
    await server.until(() => server.received.some((frame) => frame.type === "join" && frame.magic === "%LOR" && frame.version.length === 1 && joins() > 3));
    // The old document is still the row's, and takes edits.
    expect(row.doc).toBe(before);
    type(row, "body", "+");
    await until(row, () => row.doc !== before && isSynced(row));
    expect(row.get("body")).toBe("good++");
    expect(text()).toBe("good++");
    expect(rejections).toEqual([]);
  });

  test("is what is stored afterwards", async () => {
    const storage = new MemoryStorage();
    const client = openClient(server.url, { storage });
    const row = client.row("Note", "n1");
    await row.ready;
    const before = row.doc;
    refuse(3, { status: "unknown", code: "missing_dependencies", message: "?" });
    type(row, "body", "+");
    await until(row, () => row.doc !== before && isSynced(row));
    await vi.waitFor(async () => expect(await storage.load(rowKey("Note", "n1"))).toMatchObject({ unsent: {} }));
    await client.close();
    await server.stop();
    const again = openClient(server.url, { storage }).row("Note", "n1");
    await again.ready;
    expect(again.get("body")).toBe("good+");
  });
});

/** The server comes back from a backup: in another epoch, with an older document. */
function restore(backup: Uint8Array, epoch: string): void {
  const doc = new LoroDoc();
  doc.setPeerId(server.document(ROOM).peerIdStr);
  doc.import(backup);
  server.documents.set(ROOM, doc);
  server.epoch = epoch;
  server.drop();
}

describe("a restored server", () => {
  test("gets back what its backup lacked, and the unsent edits", async () => {
    server.epoch = "one";
    const client = openClient(server.url);
    const row = client.row("Note", "n1");
    await row.ready;
    const backup = server.document(ROOM).export({ mode: "snapshot" });
    type(row, "body", ", better");
    await until(row, isSynced);
    client.setOffline(true);
    type(row, "body", ", best");
    const before = row.doc;
    restore(backup, "two");
    client.setOffline(false);
    await until(row, () => row.doc !== before && isSynced(row));
    expect(row.get("body")).toBe("good, better, best");
    expect(text()).toBe("good, better, best");
  });

  test("that has gone another way since its backup wins, and the unsent edits are handed over", async () => {
    server.epoch = "one";
    const storage = new MemoryStorage();
    const client = openClient(server.url, { storage });
    const row = client.row("Note", "n1");
    await row.ready;
    const backup = server.document(ROOM).export({ mode: "snapshot" });
    server.edit(ROOM, (doc) => doc.getMap("row").ensureMergeableText("body").insert(0, "lost "));
    await until(row, () => row.get("body") === "lost good");
    client.setOffline(true);
    type(row, "body", "!");
    restore(backup, "two");
    // The same peer's next operations, with another meaning than those that the client has: versions cannot tell.
    server.edit(ROOM, (doc) => doc.getMap("row").ensureMergeableText("body").insert(0, "other "));
    const rejected = new Promise<RowRejection>((resolve) => row.onRejected(resolve));
    client.setOffline(false);
    const { code, lost } = await rejected;
    expect([code, lost.toJSON()]).toEqual(["replica_diverged", { row: { body: "lost good!" } }]);
    await until(row, isSynced);
    expect(row.get("body")).toBe("other good");
    expect(row.get("body")).toBe(text());
    const [kept] = await client.rejections();
    expect(kept).toMatchObject({ code: "replica_diverged", work: { kind: "edits", entity: "Note", id: "n1" } });
  });

  test("is noticed by a page that was loaded after it", async () => {
    server.epoch = "one";
    const storage = new MemoryStorage();
    const first = openClient(server.url, { storage });
    const row = first.row("Note", "n1");
    await row.ready;
    const backup = server.document(ROOM).export({ mode: "snapshot" });
    server.edit(ROOM, (doc) => doc.getMap("row").ensureMergeableText("body").insert(0, "lost "));
    await until(row, () => row.get("body") === "lost good" && row.saved);
    await vi.waitFor(async () => expect(await storage.load(rowKey("Note", "n1"))).toMatchObject({ epoch: "one" }));
    await first.close();
    restore(backup, "two");
    server.edit(ROOM, (doc) => doc.getMap("row").ensureMergeableText("body").insert(0, "other "));
    const second = openClient(server.url, { storage }).row("Note", "n1");
    await until(second, () => second.get("body") === "other good");
    await vi.waitFor(async () => expect(await storage.load(rowKey("Note", "n1"))).toMatchObject({ epoch: "two", unsent: {} }));
  });

  test("says its epoch under /ready where its greeting does not", async () => {
    let epoch = "one";
    const answer: typeof fetch = async () => new Response(JSON.stringify({ status: "ready", epoch, seq: 1 }));
    const client = openClient(server.url, { fetch: answer });
    const row = client.row("Note", "n1");
    await row.ready;
    await until(row, isSynced);
    const before = row.doc;
    epoch = "two";
    server.drop();
    await until(row, () => row.doc !== before && isSynced(row));
    expect(row.get("body")).toBe("good");
  });
});

describe("quarantine", () => {
  test("keeps the lost edits beyond the page, and the stored row is the server's", async () => {
    const storage = new MemoryStorage();
    const client = openClient(server.url, { storage });
    const row = client.row("Note", "n1");
    await row.ready;
    refuse(1, { status: "invalid_update", code: "invalid_value", message: "body may have 4 characters" });
    const before = row.doc;
    type(row, "body", " and bad");
    await until(row, () => row.doc !== before && isSynced(row) && row.saved);
    await client.close();
    await server.stop();

    const second = openClient(server.url, { storage });
    const again = second.row("Note", "n1");
    await again.ready;
    expect(again.get("body")).toBe("good");
    const [rejection] = await second.rejections();
    expect(rejection).toMatchObject({ code: "invalid_value", message: "body may have 4 characters" });
    expect(rejection?.work.kind === "edits" && rejection.work.lost.toJSON()).toEqual({ row: { body: "good and bad" } });
    await second.dismiss(rejection?.id ?? "");
    expect(await second.rejections()).toEqual([]);
  });

  test("takes the edits of a row that nobody has open", async () => {
    const storage = new MemoryStorage();
    const first = openClient(server.url, { storage });
    const row = first.row("Note", "n1");
    await row.ready;
    first.setOffline(true);
    type(row, "body", " and bad");
    await vi.waitFor(() => expect(row.saved).toBe(true));
    await first.close();
    refuse(1, { status: "permission_denied", code: "forbidden", message: "Not yours." });
    const second = openClient(server.url, { storage });
    const rejection = await new Promise((resolve) => second.onRejected(resolve));
    expect(rejection).toMatchObject({ code: "forbidden", message: "Not yours.", work: { kind: "edits", id: "n1" } });
    await vi.waitFor(() => expect(second.sync.unsentRows).toBe(0));
  });
});

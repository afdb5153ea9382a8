/** Filling an empty document once, whoever is first. */

import "fake-indexeddb/auto";

import { LoroList, LoroMap, LoroText } from "loro-crdt";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";

import { type CorellaClient, MemoryStorage, type RowHandle } from "../../src/index.js";
import { isSynced, openClient, until } from "../support/clients.js";
import { FakeServer } from "../support/fake-server.js";
import { FakeBrowser } from "../support/fake-tabs.js";

const ROOM = "Note/n1";

let server: FakeServer;
beforeEach(async () => {
  const started = await FakeServer.start();
  server = started;
  onTestFinished(() => started.stop());
});

/** A title, a text, and an editor's first paragraph. */
function seed(row: RowHandle): void {
  row.fields.set("title", "New");
  row.text("notes").insert(0, "Hello");
  const paragraph = row.map("body").ensureMergeableList("children").pushContainer(new LoroMap());
  paragraph.setContainer("children", new LoroList()).pushContainer(new LoroText());
}

const seeded = { title: "New", notes: "Hello", body: { children: [{ children: [""] }] } };
const fieldsOf = (row: RowHandle): unknown => row.fields.toJSON();
const onServer = (): unknown => server.document(ROOM).getMap("row").toJSON();
const paragraphOf = (row: RowHandle): LoroText => (((row.map("body").get("children") as LoroList).get(0) as LoroMap).get("children") as LoroList).get(0) as LoroText;

/** Filled, and so on the server. */
async function settled(row: RowHandle): Promise<void> {
  await row.ready;
  await until(row, isSynced);
}

const open = (client: CorellaClient): RowHandle => client.row("Note", "n1", { seed });

test("an empty document is filled before it is ready, and only then", async () => {
  const client = openClient(server.url);
  const row = open(client);
  await row.ready;
  expect(fieldsOf(row)).toEqual(seeded);
  await until(row, isSynced);
  expect(onServer()).toEqual(seeded);
  const other = open(openClient(server.url));
  await other.ready;
  expect(fieldsOf(other)).toEqual(seeded);
  expect(server.seeds).toEqual([{ room: ROOM, accepted: true }]);
});

test("a document that somebody has written to is left as it is", async () => {
  server.edit(ROOM, (doc) => doc.getMap("row").set("title", "Old"));
  const row = open(openClient(server.url));
  await row.ready;
  await until(row, isSynced);
  expect(fieldsOf(row)).toEqual({ title: "Old" });
  expect(server.seeds).toEqual([]);
});

test("two clients that are online at once fill it once", async () => {
  for (let round = 0; round < 10; round += 1) {
    const id = `both-${round}`;
    const rows = [0, 1].map(() => openClient(server.url).row("Note", id, { seed }));
    await Promise.all(rows.map((row) => row.ready));
    await vi.waitFor(() => {
      expect(rows.map(fieldsOf)).toEqual([seeded, seeded]);
      expect(rows.map((row) => row.status.kind)).toEqual(["synced", "synced"]);
    });
  }
});

describe("a client that is offline", () => {
  test("fills it at once, and the server gets it later", async () => {
    const client = openClient(server.url);
    client.setOffline(true);
    const row = open(client);
    await row.ready;
    expect(fieldsOf(row)).toEqual(seeded);
    paragraphOf(row).insert(0, "typed");
    row.doc.commit();
    client.setOffline(false);
    await until(row, isSynced);
    expect(onServer()).toEqual({ ...seeded, body: { children: [{ children: ["typed"] }] } });
  });

  test("and finds that another one was first, writes again what it wrote on top", async () => {
    const client = openClient(server.url);
    client.setOffline(true);
    const row = open(client);
    await row.ready;
    const rejections = vi.fn();
    row.onRejected(rejections);
    row.text("notes").insert(5, " world");
    paragraphOf(row).insert(0, "typed");
    row.doc.commit();

    const other = open(openClient(server.url));
    await settled(other);
    client.setOffline(false);
    const both = { title: "New", notes: "Hello world", body: { children: [{ children: ["typed"] }] } };
    await vi.waitFor(() => expect([row, other].map(fieldsOf)).toEqual([both, both]));
    await until(row, isSynced);
    expect(onServer()).toEqual(both);
    expect(rejections).not.toHaveBeenCalled();
  });

  test("hands over what has no place in what the other one made", async () => {
    const client = openClient(server.url);
    client.setOffline(true);
    const row = open(client);
    await row.ready;
    const lost: unknown[] = [];
    row.onRejected((rejection) => lost.push([rejection.code, rejection.lost.toJSON()]));
    paragraphOf(row).insert(0, "typed");
    row.doc.commit();
    server.edit(ROOM, (doc) => doc.getMap("row").set("title", "Something else"));
    client.setOffline(false);
    await vi.waitFor(() => expect(fieldsOf(row)).toEqual({ title: "Something else" }));
    expect(lost).toMatchObject([["already_seeded", { row: { ...seeded, body: { children: [{ children: ["typed"] }] } } }]]);
    expect(await client.rejections()).toMatchObject([{ code: "already_seeded" }]);
    await until(row, isSynced);
  });

  test("and ends, leaves its seed to the next page, which finds out", async () => {
    const storage = new MemoryStorage();
    const first = openClient(server.url, { storage });
    first.setOffline(true);
    const row = open(first);
    await row.ready;
    row.set("title", "Mine");
    await until(row, (each) => each.saved);
    await first.close();
    const other = open(openClient(server.url));
    await settled(other);

    // Nobody opens the row: what waits is sent all the same, and not on top of the other one's.
    const second = openClient(server.url, { storage });
    await vi.waitFor(() => expect(onServer()).toEqual({ ...seeded, title: "Mine" }));
    await vi.waitFor(() => expect(second.sync.unsentRows).toBe(0));
  });
});

test("a seed whose acknowledgement is lost is not made twice", async () => {
  server.heldAcks = [];
  const client = openClient(server.url);
  const row = open(client);
  await row.ready;
  await server.until(() => server.seeds.length === 1);
  server.heldAcks = undefined;
  server.drop();
  await until(row, isSynced);
  expect(onServer()).toEqual(seeded);
  expect(fieldsOf(row)).toEqual(seeded);
});

test("a client that was about to fill it and is gone keeps nobody from it", async () => {
  // It has the answer that the document is empty, and ends with that.
  server.judge = (address) => (address.magic === "%LOR" ? { status: "unknown" } : undefined);
  const first = openClient(server.url);
  await open(first).ready;
  await server.until(() => server.updatesReceived(ROOM).length > 0);
  await first.close();
  server.judge = () => undefined;
  const second = open(openClient(server.url));
  await settled(second);
  expect(onServer()).toEqual(seeded);
});

describe("tabs of one browser", () => {
  let count = 0;
  const tabs = (): { tab: () => CorellaClient; crash: () => void } => {
    const browser = new FakeBrowser();
    count += 1;
    const user = `tabs-${count}`;
    const crashes: (() => void)[] = [];
    return {
      tab: () => {
        const platform = browser.tab();
        crashes.push(platform.crash);
        return openClient(server.url, { user, token: () => user, tabs: platform });
      },
      crash: () => crashes[0]?.(),
    };
  };

  test("fill it once, offline and online", async () => {
    const { tab } = tabs();
    const clients = [tab(), tab(), tab()];
    await vi.waitFor(() => expect(clients.map(({ status }) => status)).toEqual(["online", "online", "online"]));
    clients[0]?.setOffline(true);
    const rows = clients.map(open);
    await Promise.all(rows.map((row) => row.ready));
    await vi.waitFor(() => expect(rows.map(fieldsOf)).toEqual([seeded, seeded, seeded]));
    clients[1]?.setOffline(false);
    await Promise.all(rows.map((row) => until(row, isSynced)));
    expect(rows.map(fieldsOf)).toEqual([seeded, seeded, seeded]);
    expect(server.seeds).toEqual([{ room: ROOM, accepted: true }]);
  });

  test("whose leader crashes fill it once", async () => {
    const { tab, crash } = tabs();
    const clients = [tab(), tab()];
    await vi.waitFor(() => expect(clients.map(({ status }) => status)).toEqual(["online", "online"]));
    const rows = clients.map(open);
    crash();
    await rows[1]?.ready;
    await vi.waitFor(() => expect(onServer()).toEqual(seeded));
    await vi.waitFor(() => expect(fieldsOf(rows[1] as RowHandle)).toEqual(seeded));
  });

  test("that follow have their seed refused like any other", async () => {
    const { tab } = tabs();
    const clients = [tab(), tab()];
    await vi.waitFor(() => expect(clients.map(({ status }) => status)).toEqual(["online", "online"]));
    clients[0]?.setOffline(true);
    const row = open(clients[1] as CorellaClient);
    await row.ready;
    await until(row, (each) => each.saved);
    const other = open(openClient(server.url));
    await settled(other);
    clients[0]?.setOffline(false);
    await until(row, isSynced);
    await vi.waitFor(() => expect(fieldsOf(row)).toEqual(seeded));
    expect(onServer()).toEqual(seeded);
  });
});

test("a seed that fails leaves the document empty, and its row open", async () => {
  const errors: unknown[] = [];
  const listen = (error: unknown): void => void errors.push(error);
  const before = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", listen);
  onTestFinished(() => {
    process.removeListener("uncaughtException", listen);
    before.forEach((each) => process.on("uncaughtException", each));
  });
  const row = openClient(server.url).row("Note", "n1", {
    seed: () => {
      throw new Error("of the application");
    },
  });
  await row.ready;
  await until(row, isSynced);
  expect(fieldsOf(row)).toEqual({});
  await vi.waitFor(() => expect(errors).toMatchObject([{ message: "of the application" }]));
});


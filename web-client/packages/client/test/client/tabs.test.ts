/** Several tabs of one user: one connection, one store, and any of them may go at any time. */

import { LoroDoc } from "loro-crdt";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";

import { type CorellaClient, MemoryStorage, type Rejection, type RowRejection } from "../../src/index.js";
import { isSynced, openClient, type, until } from "../support/clients.js";
import { FakeBrowser } from "../support/fake-tabs.js";
import { FakeServer } from "../support/fake-server.js";

const ROOM = "Note/n1";

let server: FakeServer;
let browser: FakeBrowser;
let storage: MemoryStorage;

beforeEach(async () => {
  const started = await FakeServer.start();
  server = started;
  onTestFinished(() => started.stop());
  browser = new FakeBrowser();
  storage = new MemoryStorage();
});

function tab(): { readonly client: CorellaClient; readonly crash: () => void } {
  const platform = browser.tab();
  return { client: openClient(server.url, { user: "ada", token: () => "ada", storage, tabs: platform }), crash: platform.crash };
}

const text = (): unknown => (server.document(ROOM).getMap("row").toJSON() as Record<string, unknown>)["body"];

async function open(client: CorellaClient) {
  const row = client.row("Note", "n1");
  await row.ready;
  await until(row, isSynced);
  return row;
}

describe("tabs of one user", () => {
  test("share one connection and one room", async () => {
    const tabs = [tab(), tab(), tab()];
    const rows = await Promise.all(tabs.map(({ client }) => open(client)));
    type(rows[2]!, "body", "from the third. ");
    await until(rows[1]!, (row) => row.get("body") === "from the third. " && isSynced(row));
    type(rows[1]!, "body", "from the second. ");
    type(rows[0]!, "body", "from the first. ");
    await Promise.all(rows.map((row) => until(row, () => isSynced(row) && String(row.get("body")).length === 49)));
    expect(rows.map((row) => row.get("body"))).toEqual(rows.map(() => text()));
    expect(server.connectionCount).toBe(1);
    expect(server.received.filter((frame) => frame.type === "join" && frame.magic === "%LOR")).toHaveLength(1);
    expect(tabs.map(({ client }) => client.status)).toEqual(["online", "online", "online"]);
  });

  test("see what others write, wherever it comes from", async () => {
    const tabs = [tab(), tab()];
    const rows = await Promise.all(tabs.map(({ client }) => open(client)));
    server.edit(ROOM, (doc) => doc.getMap("row").set("title", "from elsewhere"));
    await Promise.all(rows.map((row) => until(row, () => row.get("title") === "from elsewhere")));
    const late = await open(tab().client);
    expect(late.get("title")).toBe("from elsewhere");
  });

  test("work together offline", async () => {
    const [one, other] = [tab(), tab()];
    const rows = await Promise.all([open(one.client), open(other.client)]);
    other.client.setOffline(true);
    await vi.waitFor(() => expect(one.client.status).toBe("offline"));
    type(rows[0], "body", "a");
    await until(rows[1], (row) => row.get("body") === "a");
    type(rows[1], "body", "b");
    await until(rows[0], (row) => row.get("body") === "ab");
    expect(rows.map((row) => row.status)).toEqual([{ kind: "offline" }, { kind: "offline" }]);
    expect(text()).toBeUndefined();
    one.client.setOffline(false);
    await Promise.all(rows.map((row) => until(row, isSynced)));
    expect(text()).toBe("ab");
  });

  test.each(["close", "crash"] as const)("go on when the leader goes (%s)", async (how) => {
    const [first, second, third] = [tab(), tab(), tab()];
    const rows = await Promise.all([open(first.client), open(second.client), open(third.client)]);
    type(rows[1], "body", "before. ");
    await until(rows[2], (row) => row.get("body") === "before. " && isSynced(row));
    if (how === "crash") {
      first.crash();
      // A crashed tab's socket ends with it.
      first.client.setOffline(true);
    } else {
      await first.client.close();
    }
    type(rows[2], "body", "after. ");
    await Promise.all([rows[1], rows[2]].map((row) => until(row, () => isSynced(row) && row.get("body") === "before. after. ")));
    expect(text()).toBe("before. after. ");
    expect(second.client.status).toBe("online");
    await second.client.close();
    type(rows[2], "body", "alone.");
    await until(rows[2], isSynced);
    expect(text()).toBe("before. after. alone.");
  });

  test("an edit of a tab that closes at once is sent by the others", async () => {
    const [leader, follower] = [tab(), tab()];
    await leader.client.list("Note").catch(() => {});
    const row = await open(follower.client);
    type(row, "body", "last words");
    await follower.client.close();
    await server.until(() => text() === "last words");
  });

  test("an edit made offline by a tab that is gone is sent by one that never opened the row", async () => {
    const [leader, follower] = [tab(), tab()];
    const row = await open(follower.client);
    leader.client.setOffline(true);
    await vi.waitFor(() => expect(follower.client.status).toBe("offline"));
    type(row, "body", "left behind");
    await vi.waitFor(() => expect(row.saved).toBe(true));
    follower.crash();
    leader.client.setOffline(false);
    await server.until(() => text() === "left behind");
    await vi.waitFor(() => expect(leader.client.sync.unsentRows).toBe(0));
  });

  test("hear of a refusal together, and go on from the server's state", async () => {
    server.edit(ROOM, (doc) => doc.getMap("row").ensureMergeableText("body").insert(0, "good"));
    const tabs = [tab(), tab()];
    const rows = await Promise.all(tabs.map(({ client }) => open(client)));
    const rejections = rows.map((row) => new Promise<RowRejection>((resolve) => row.onRejected(resolve)));
    const replaced = rows.map((row) => new Promise((resolve) => row.onReplaced(resolve)));
    let isFirst = true;
    server.judge = () => {
      const refusal = isFirst ? ({ status: "invalid_update", code: "invalid_value", message: "no" } as const) : undefined;
      isFirst = false;
      return refusal;
    };
    type(rows[1]!, "body", " and bad");
    const told = await Promise.all(rejections);
    expect(told.map(({ code, lost }) => [code, lost.toJSON()])).toEqual(told.map(() => ["invalid_value", { row: { body: "good and bad" } }]));
    await Promise.all(replaced);
    expect(rows.map((row) => row.get("body"))).toEqual(["good", "good"]);
    type(rows[1]!, "body", " and better");
    await Promise.all(rows.map((row) => until(row, () => isSynced(row) && row.get("body") === "good and better")));
    expect(text()).toBe("good and better");
    expect(await tabs[0]!.client.rejections()).toHaveLength(1);
  });

  test("send each other's mutations, and each hears of its own", async () => {
    const [leader, follower] = [tab(), tab()];
    await open(leader.client);
    await open(follower.client);
    expect((await follower.client.mutate({ entity: "Note", operation: "patch", id: "n2", fields: { title: "x" } }).result).id).toBe("n2");
    expect(server.mutations).toHaveLength(1);
    expect(server.connectionCount).toBe(1);
  });
});

test("a restored server that has gone another way replaces the row in every tab", async () => {
  server.epoch = "one";
  server.edit(ROOM, (doc) => doc.getMap("row").ensureMergeableText("body").insert(0, "good"));
  const tabs = [tab(), tab()];
  const rows = await Promise.all(tabs.map(({ client }) => open(client)));
  const backup = server.document(ROOM).export({ mode: "snapshot" });
  const peer = server.document(ROOM).peerIdStr;
  server.edit(ROOM, (doc) => doc.getMap("row").ensureMergeableText("body").insert(0, "lost "));
  await Promise.all(rows.map((row) => until(row, () => row.get("body") === "lost good" && isSynced(row))));
  tabs[0]!.client.setOffline(true);
  await vi.waitFor(() => expect(tabs[1]!.client.status).toBe("offline"));
  type(rows[1]!, "body", "!");
  await until(rows[0]!, (row) => row.get("body") === "lost good!");
  const restored = new LoroDoc();
  restored.setPeerId(peer);
  restored.import(backup);
  server.documents.set(ROOM, restored);
  server.epoch = "two";
  server.edit(ROOM, (doc) => doc.getMap("row").ensureMergeableText("body").insert(0, "other "));
  const told = tabs.map(({ client }) => new Promise<Rejection>((resolve) => client.onRejected(resolve)));
  tabs[1]!.client.setOffline(false);
  expect((await Promise.all(told)).map(({ code }) => code)).toEqual(["replica_diverged", "replica_diverged"]);
  await Promise.all(rows.map((row) => until(row, () => row.get("body") === "other good" && isSynced(row))));
  type(rows[1]!, "body", " again");
  await Promise.all(rows.map((row) => until(row, () => row.get("body") === "other good again" && isSynced(row) && row.saved)));
  expect(text()).toBe("other good again");
});

describe("presence", () => {
  test("is each tab's own, and goes with it", async () => {
    const [leader, follower] = [tab(), tab()];
    const rows = await Promise.all([open(leader.client), open(follower.client)]);
    const stranger = await open(openClient(server.url));
    rows[0].presence.set(rows[0].presenceId, "first tab");
    rows[1].presence.set(rows[1].presenceId, "second tab");
    const all = { [rows[0].presenceId]: "first tab", [rows[1].presenceId]: "second tab" };
    await until(stranger, () => JSON.stringify(stranger.presence.getAllStates()) === JSON.stringify(all) || Object.keys(stranger.presence.getAllStates()).length === 2);
    await until(rows[0], () => rows[0].presence.get(rows[1].presenceId) === "second tab");
    await until(rows[1], () => rows[1].presence.get(rows[0].presenceId) === "first tab");
    follower.crash();
    await until(stranger, () => stranger.presence.get(rows[1].presenceId) === undefined);
    expect(stranger.presence.getAllStates()).toEqual({ [rows[0].presenceId]: "first tab" });
  });
});

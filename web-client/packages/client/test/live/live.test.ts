/** Live queries against a scripted server: what is asked, what is shown, what is kept. */

import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";

import { type CorellaClient, MemoryStorage } from "../../src/index.js";
import { live, type LiveQuery } from "../../src/live/index.js";
import { openClient } from "../support/clients.js";
import { FakeServer } from "../support/fake-server.js";
import { FakeBrowser } from "../support/fake-tabs.js";

let server: FakeServer;
beforeEach(async () => {
  const started = await FakeServer.start();
  server = started;
  onTestFinished(() => started.stop());
});

const query = { from: "Note", where: { pinned: true }, orderBy: "title" };
const client = (storage = new MemoryStorage()): CorellaClient => openClient(server.url, { user: "ada", token: () => "ada", storage });
const ids = (notes: LiveQuery): string[] => notes.rows.map(({ id }) => id);
const snapshot = (seq: number, ...rows: string[]): object => ({ type: "snapshot", seq, epoch: "e1", rows: rows.map((id) => ({ id, title: id })), cursor: null });
const refs = (): string[] => server.subscriptions.map(({ ref }) => ref);

test("an answer comes whole, and then as what each commit changes", async () => {
  server.answer = () => snapshot(3, "a", "b");
  const notes = live(client(), query);
  expect([notes.status, notes.rows]).toEqual([{ kind: "loading" }, []]);
  await notes.ready;
  expect(server.subscriptions).toMatchObject([{ query }]);
  expect([notes.status, notes.seq, ids(notes)]).toEqual([{ kind: "live" }, 3, ["a", "b"]]);
  const changes: unknown[] = [];
  notes.onChange((change) => changes.push(change));
  const before = notes.rows;
  server.say({ type: "changes", seq: 4, answers: [{ ref: refs()[0], upsert: [{ id: "c", at: 0, row: { title: "c" } }, { id: "b", row: { title: "B" } }], remove: ["a"] }] });
  await vi.waitFor(() => expect(notes.seq).toBe(4));
  expect(notes.rows).toEqual([{ id: "c", title: "c" }, { id: "b", title: "B" }]);
  expect(before).toEqual([{ id: "a", title: "a" }, { id: "b", title: "b" }]);
  expect(changes).toEqual([{ upserted: [{ id: "c", title: "c" }, { id: "b", title: "B" }], removed: ["a"], isWhole: false }]);
});

test("equal queries are one subscription, which ends some time after the last use of it", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  server.answer = () => snapshot(1, "a");
  const shared = client();
  const first = live(shared, query);
  const second = live(shared, { ...query });
  await second.ready;
  expect(refs()).toHaveLength(1);
  first.close();
  vi.advanceTimersByTime(60_000);
  expect(second.status.kind).toBe("live");
  second.close();
  expect(live(shared, query)).toBe(second);
  second.close();
  vi.advanceTimersByTime(60_000);
  await server.until(() => server.subscriptions.length === 0);
});

test("after an interruption only what has changed is asked for", async () => {
  server.answer = ({ since }) => (since === undefined ? snapshot(3, "a", "b") : undefined);
  const notes = live(client(), query);
  await notes.ready;
  server.drop();
  await vi.waitFor(() => expect(notes.status.kind).toBe("stale"));
  expect(ids(notes)).toEqual(["a", "b"]);
  await server.until(() => server.subscriptions.length === 1 && server.connectionCount === 2);
  expect(server.subscriptions[0]?.since).toEqual({ epoch: "e1", seq: 3, ids: ["a", "b"] });
  server.say({ type: "changes", seq: 9, answers: [{ ref: refs()[0], remove: ["a"] }] });
  await vi.waitFor(() => expect([notes.status.kind, ids(notes)]).toEqual(["live", ["b"]]));
});

test("a page without a server shows what the device has, and resumes from it", async () => {
  server.answer = () => snapshot(3, "a", "b");
  const storage = new MemoryStorage();
  const first = client(storage);
  await live(first, query).ready;
  await first.close();
  await vi.waitFor(async () => expect(await storage.recall("answers")).toBeDefined());
  await server.stop();
  const notes = live(client(storage), query);
  await notes.ready;
  expect([notes.status.kind, ids(notes)]).toEqual(["stale", ["a", "b"]]);
  server.answer = ({ since }) => ({ type: "changes", seq: 5, answers: [], ...(since?.seq === 3 ? {} : snapshot(5)) });
  await server.listen();
  await server.until(() => server.subscriptions.length === 1);
  expect(server.subscriptions[0]?.since).toEqual({ epoch: "e1", seq: 3, ids: ["a", "b"] });
});

describe("a query that is refused", () => {
  test("for good says so", async () => {
    server.answer = () => ({ type: "error", code: "invalid_query", message: "where: there is no column pined" });
    const notes = live(client(), query);
    await expect(notes.ready).rejects.toMatchObject({ code: "invalid_query" });
    expect(notes.status).toEqual({ kind: "refused", code: "invalid_query", message: "where: there is no column pined" });
  });

  test.each(["query_ended", "unavailable"])("with %s is asked again", async (code) => {
    server.answer = () => (server.texts.filter((text) => text.includes('"subscribe"')).length === 1 ? { type: "error", code, message: "again" } : snapshot(1, "a"));
    const notes = live(client(), query);
    await notes.ready;
    expect(notes.status.kind).toBe("live");
  });
});

test("one can wait until the answers have a change", async () => {
  server.answer = () => snapshot(3, "a");
  const notes = live(client(), query);
  await notes.ready;
  await notes.reached(3);
  const reached = vi.fn();
  void notes.reached(7).then(reached);
  await server.until(() => server.texts.some((text) => text.includes('"await"')));
  expect(reached).not.toHaveBeenCalled();
  const { ref } = JSON.parse(server.texts.at(-1) ?? "") as { readonly ref: string };
  server.say({ type: "reached", ref, seq: 7 });
  await vi.waitFor(() => expect(reached).toHaveBeenCalled());
});

describe("several tabs", () => {
  const open = async (): Promise<{ readonly leader: CorellaClient; readonly follower: CorellaClient; readonly crash: () => void }> => {
    const browser = new FakeBrowser();
    const storage = new MemoryStorage();
    const platforms = [browser.tab(), browser.tab()];
    const [leader, follower] = platforms.map((tabs) => openClient(server.url, { user: "ada", token: () => "ada", storage, tabs })) as [CorellaClient, CorellaClient];
    await vi.waitFor(() => expect([leader.status, follower.status]).toEqual(["online", "online"]));
    return { leader, follower, crash: () => platforms[0]?.crash() };
  };

  test("share one subscription, also where the leader does not use the query", async () => {
    server.answer = () => snapshot(3, "a", "b");
    const { leader, follower } = await open();
    const followed = live(follower, query);
    await vi.waitFor(() => expect(followed.status.kind).toBe("live"));
    const led = live(leader, query);
    await led.ready;
    expect(refs()).toHaveLength(1);
    for (let seq = 4; seq < 10; seq += 1) {
      server.say({ type: "changes", seq, answers: [{ ref: refs()[0], upsert: [{ id: "a", row: { title: `a${seq}` } }] }] });
    }
    await vi.waitFor(() => expect([led.seq, followed.seq]).toEqual([9, 9]));
    expect(followed.rows).toEqual([{ id: "a", title: "a9" }, { id: "b", title: "b" }]);
    const reached = followed.reached(9);
    await reached;
  });

  test("hear of a refusal, and of a lost connection", async () => {
    server.answer = () => ({ type: "error", code: "invalid_query", message: "no" });
    const { follower } = await open();
    await expect(live(follower, query).ready).rejects.toMatchObject({ code: "invalid_query" });
    server.answer = () => snapshot(1, "a");
    const other = live(follower, { from: "Note" });
    await vi.waitFor(() => expect(other.status.kind).toBe("live"));
    await server.stop();
    await vi.waitFor(() => expect(other.status.kind).toBe("stale"));
    expect(ids(other)).toEqual(["a"]);
  });

  test("go on when the leader crashes", async () => {
    server.answer = () => snapshot(3, "a");
    const { leader, follower, crash } = await open();
    await live(leader, query).ready;
    const notes = live(follower, query);
    await vi.waitFor(() => expect(notes.status.kind).toBe("live"));
    server.answer = () => snapshot(5, "a", "c");
    crash();
    await vi.waitFor(() => expect([notes.status.kind, ids(notes)]).toEqual(["live", ["a", "c"]]));
  });
});

// @vitest-environment node
/** What an earlier page left in the queue: shown by the next one, and settled by the server's answers. */

import { type CorellaClient, MemoryStorage } from "@corella/client";
import { createCollection, createLiveQueryCollection, eq } from "@tanstack/db";
import { beforeEach, describe, expect, test, vi } from "vitest";

import { corellaCollectionOptions } from "../src/index.js";
import { QueryServer } from "./support/query-server.js";

type Task = { readonly id: string; readonly title: string; readonly list: string; readonly position: number };

let server: QueryServer;
let storage: MemoryStorage;
beforeEach(async () => {
  server = await QueryServer.start();
  storage = new MemoryStorage();
  for (const index of [0, 1, 2]) {
    server.change("Task", { id: `t${index}`, title: `Task ${index}`, list: "open", position: index });
  }
});

function eager(client: CorellaClient) {
  const tasks = createCollection(corellaCollectionOptions<Task>({ client, entity: "Task" }));
  tasks.startSyncImmediate();
  return tasks;
}

function openOnes(client: CorellaClient) {
  const tasks = createCollection(corellaCollectionOptions<Task>({ client, entity: "Task", syncMode: "on-demand" }));
  const open = createLiveQueryCollection((q) => q.from({ task: tasks }).where(({ task }) => eq(task.list, "open")));
  void open.preload();
  return open;
}

const titles = (rows: Iterable<{ readonly title: string }>): string[] => [...rows].map(({ title }) => title).sort();

/** A page that has seen the tasks, and changes three of them offline. */
async function leaveBehind(): Promise<void> {
  const client = server.client({ storage });
  const tasks = eager(client);
  const open = openOnes(client);
  await Promise.all([tasks.preload(), open.preload()]);
  client.setOffline(true);
  const changes = [
    tasks.insert({ id: "new", title: "New", list: "open", position: 9 }),
    tasks.update("t1", (draft) => void Object.assign(draft, { title: "Renamed" })),
    tasks.delete("t2"),
    tasks.update("new", (draft) => void Object.assign(draft, { position: 10 })),
  ];
  // The page ends before they are sent; the next one makes them good.
  changes.forEach(({ isPersisted }) => isPersisted.promise.catch(() => {}));
  await vi.waitFor(async () => expect(await storage.mutationCount()).toBe(4));
  await client.close();
}

/** The next page, which has no connection yet. */
function comeBack(): CorellaClient {
  const client = server.client({ storage });
  client.setOffline(true);
  return client;
}

describe("after a reload", () => {
  test("an eager collection shows what waits, and keeps it when the server's answers have it", async () => {
    await leaveBehind();
    const client = comeBack();
    const tasks = eager(client);
    await vi.waitFor(() => expect(titles(tasks.values())).toEqual(["New", "Renamed", "Task 0"]));
    expect(tasks.get("new")).toMatchObject({ id: "new", title: "New", list: "open", position: 10 });
    expect(server.rows("Task")).toHaveLength(3);

    const seen = new Set<string>();
    tasks.subscribeChanges(() => seen.add(titles(tasks.values()).join()));
    client.setOffline(false);
    await vi.waitFor(async () => expect(await storage.mutationCount()).toBe(0));
    await vi.waitFor(() => expect(tasks.utils.status()).toEqual({ kind: "live" }));
    expect(titles(tasks.values())).toEqual(["New", "Renamed", "Task 0"]);
    expect([...seen].every((each) => each === "New,Renamed,Task 0"), "nothing flickers on the way").toBe(true);
    expect(server.rows("Task").find(({ id }) => id === "t1")?.["title"]).toBe("Renamed");
    // Nothing of the queue lies over the rows any more.
    server.change("Task", { id: "t1", title: "By somebody else", list: "open", position: 1 });
    server.change("Task", { id: "new", title: "", list: "", position: 0 }, true);
    await vi.waitFor(() => expect(titles(tasks.values())).toEqual(["By somebody else", "Task 0"]));
  });

  test("what waits lies over the rows that an on-demand collection asks for", async () => {
    await leaveBehind();
    const open = openOnes(comeBack());
    await vi.waitFor(() => expect(titles(open.values())).toEqual(["New", "Renamed", "Task 0"]));
    await open.cleanup();
  });

  test("what is refused is taken back", async () => {
    await leaveBehind();
    server.server.judgeMutation = () => ({ code: "forbidden", message: "no" });
    const client = comeBack();
    const tasks = eager(client);
    await vi.waitFor(() => expect(tasks.has("new")).toBe(true));
    client.setOffline(false);
    await vi.waitFor(() => expect(titles(tasks.values())).toEqual(["Task 0", "Task 1", "Task 2"]));
    await vi.waitFor(async () => expect((await client.rejections()).map(({ code }) => code)).toEqual(["forbidden", "forbidden", "forbidden", "forbidden"]));
  });

  test("what the application queues without the collection shows too", async () => {
    const client = server.client({ storage });
    const tasks = eager(client);
    await tasks.preload();
    client.setOffline(true);
    client.mutate({ entity: "Task", operation: "patch", id: "t0", fields: { position: { $inc: 5 } } });
    client.mutate({ entity: "List", operation: "insert", id: "t9", fields: { name: "Of another entity" } });
    await vi.waitFor(() => expect(tasks.get("t0")?.position).toBe(5));
    expect(tasks.size).toBe(3);
  });

  test("groups show what the server has counted", async () => {
    await leaveBehind();
    const client = comeBack();
    const counts = createCollection(
      corellaCollectionOptions<{ readonly id: string }>({ client, entity: "Task", query: { aggregate: { tasks: { $count: true } }, groupBy: ["list"] } }),
    );
    counts.startSyncImmediate();
    const tasks = eager(client);
    await vi.waitFor(() => expect(tasks.has("new")).toBe(true));
    expect(counts.size).toBe(0);
  });
});

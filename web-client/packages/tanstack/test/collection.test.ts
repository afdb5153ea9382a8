// @vitest-environment node
/** Collections against a scripted server: what is asked for, what shows, what becomes of changes. */

import { createCollection, createLiveQueryCollection, eq } from "@tanstack/db";
import { beforeEach, describe, expect, test, vi } from "vitest";

import { corellaCollectionOptions } from "../src/index.js";
import { QueryServer } from "./support/query-server.js";

type Task = { readonly id: string; readonly title: string; readonly list: string; readonly position: number };

let server: QueryServer;
beforeEach(async () => {
  server = await QueryServer.start();
  for (let index = 0; index < 9; index += 1) {
    server.change("Task", task(index));
  }
});

const task = (index: number): Task => ({ id: `t${index}`, title: `Task ${index}`, list: index % 3 === 0 ? "done" : "open", position: index });
const titles = (rows: Iterable<{ readonly title: string }>): string[] => [...rows].map(({ title }) => title).sort();

describe("an eager collection", () => {
  const eager = (client = server.client()) => createCollection(corellaCollectionOptions<Task>({ client, entity: "Task", query: { where: { list: "done" } } }));

  test("has the answer to its query, and follows it", async () => {
    const tasks = eager();
    await tasks.preload();
    expect(titles(tasks.values())).toEqual(["Task 0", "Task 3", "Task 6"]);
    expect(server.queries).toEqual([{ from: "Task", where: { list: "done" } }]);
    server.change("Task", { ...task(1), list: "done" });
    server.change("Task", { ...task(0), list: "open" });
    server.change("Task", { ...task(3), title: "Renamed" });
    await vi.waitFor(() => expect(titles(tasks.values())).toEqual(["Renamed", "Task 1", "Task 6"]));
    expect(tasks.utils.status()).toEqual({ kind: "live" });
  });

  test("shows an insert at once, and keeps it when the server's answer has it", async () => {
    const tasks = eager();
    await tasks.preload();
    const { isPersisted } = tasks.insert({ id: "new", title: "New", list: "done", position: 9 });
    expect(titles(tasks.values())).toContain("New");
    expect(server.rows("Task")).toHaveLength(9);
    await isPersisted.promise;
    expect(titles(tasks.values())).toEqual(["New", "Task 0", "Task 3", "Task 6"]);
    expect(server.rows("Task").find(({ id }) => id === "new")).toEqual({ id: "new", title: "New", list: "done", position: 9 });
  });

  test("sends what an update changes, and nothing else", async () => {
    const tasks = eager();
    await tasks.preload();
    const update = tasks.update("t3", (draft) => {
      (draft as { title: string }).title = "Changed";
    });
    expect(tasks.get("t3")?.title).toBe("Changed");
    await update.isPersisted.promise;
    expect(server.server.mutations.at(-1)).toMatchObject({ op: "patch", id: "t3", fields: { title: "Changed" } });
    const removal = tasks.delete("t6");
    expect(tasks.has("t6")).toBe(false);
    await removal.isPersisted.promise;
    expect(titles(tasks.values())).toEqual(["Changed", "Task 0"]);
  });

  test("takes back what is refused", async () => {
    const tasks = eager();
    await tasks.preload();
    server.server.judgeMutation = () => ({ code: "forbidden", message: "no" });
    const { isPersisted } = tasks.insert({ id: "new", title: "New", list: "done", position: 9 });
    expect(tasks.has("new")).toBe(true);
    await expect(isPersisted.promise).rejects.toMatchObject({ code: "forbidden" });
    expect(tasks.has("new")).toBe(false);
  });

  test("shows changes made offline, which are made when there is a connection", async () => {
    const client = server.client();
    const tasks = eager(client);
    await tasks.preload();
    client.setOffline(true);
    await vi.waitFor(() => expect(tasks.utils.status()).toEqual({ kind: "stale" }));
    const { isPersisted } = tasks.insert({ id: "new", title: "New", list: "done", position: 9 });
    expect(tasks.has("new")).toBe(true);
    server.change("Task", { ...task(8), list: "done" });
    client.setOffline(false);
    await isPersisted.promise;
    await vi.waitFor(() => expect(titles(tasks.values())).toEqual(["New", "Task 0", "Task 3", "Task 6", "Task 8"]));
  });

  test("opens the document behind a row", async () => {
    const tasks = eager();
    await tasks.preload();
    const row = tasks.utils.row("t3");
    await row.ready;
    expect([row.entity, row.id]).toEqual(["Task", "t3"]);
    row.close();
  });

  test("says when its query is refused", async () => {
    server.server.answer = () => ({ type: "error", code: "invalid_query", message: "no such column" });
    const tasks = eager();
    await expect(tasks.preload()).rejects.toMatchObject({ code: "invalid_query" });
    expect(tasks.utils.status()).toMatchObject({ kind: "refused", code: "invalid_query" });
  });
});

describe("an on-demand collection", () => {
  const demanded = () => createCollection(corellaCollectionOptions<Task>({ client: server.client(), entity: "Task", syncMode: "on-demand" }));

  test("asks the server for what a query wants, and gives it back with the query", async () => {
    const tasks = demanded();
    const done = createLiveQueryCollection((q) => q.from({ task: tasks }).where(({ task }) => eq(task.list, "done")));
    await done.preload();
    expect(titles(done.values())).toEqual(["Task 0", "Task 3", "Task 6"]);
    expect(server.queries).toEqual([{ from: "Task", where: { list: "done" } }]);
    expect(tasks.size).toBe(3);
    server.change("Task", { ...task(7), list: "done" });
    await vi.waitFor(() => expect(titles(done.values())).toContain("Task 7"));
    await done.cleanup();
    await vi.waitFor(() => expect(tasks.size).toBe(0));
  });

  test("asks for a window as a window, and follows it", async () => {
    const tasks = demanded();
    const first = createLiveQueryCollection((q) => q.from({ task: tasks }).orderBy(({ task }) => task.position, "asc").limit(3));
    await first.preload();
    expect([...first.values()].map(({ title }) => title)).toEqual(["Task 0", "Task 1", "Task 2"]);
    expect(server.queries[0]).toEqual({ from: "Task", orderBy: [{ position: "asc" }], limit: 3 });
    server.change("Task", { ...task(8), position: -1 });
    await vi.waitFor(() => expect([...first.values()].map(({ title }) => title)).toEqual(["Task 8", "Task 0", "Task 1"]));
    server.change("Task", { ...task(0), position: 100 });
    await vi.waitFor(() => expect([...first.values()].map(({ title }) => title)).toEqual(["Task 8", "Task 1", "Task 2"]));
  });

  test("joins ask for the rows that they need", async () => {
    const client = server.client();
    server.change("List", { id: "done", name: "Done" });
    server.change("List", { id: "open", name: "Open" });
    server.change("List", { id: "never", name: "Not used" });
    const tasks = createCollection(corellaCollectionOptions<Task>({ client, entity: "Task", syncMode: "on-demand" }));
    const lists = createCollection(corellaCollectionOptions<{ readonly id: string; readonly name: string }>({ client, entity: "List", syncMode: "on-demand" }));
    const joined = createLiveQueryCollection((q) =>
      q
        .from({ task: tasks })
        .where(({ task }) => eq(task.position, 3))
        .join({ list: lists }, ({ task, list }) => eq(task.list, list.id))
        .select(({ task, list }) => ({ title: task.title, name: list?.name })),
    );
    await joined.preload();
    await vi.waitFor(() => expect([...joined.values()]).toMatchObject([{ title: "Task 3", name: "Done" }]));
    expect(server.queries.filter(({ from }) => from === "List")).toEqual([{ from: "List", where: { id: { $in: ["done"] } } }]);
  });
});

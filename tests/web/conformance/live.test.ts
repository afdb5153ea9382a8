/** This project's own client against the real server: live queries. */

import { afterAll, beforeAll, expect, test } from "vitest";

import { live, scope } from "../../../web-client/packages/client/dist/live/index.js";
import { corellaClient } from "../support/corella.js";
import { Server } from "../support/server.js";

let server: Server;
beforeAll(async () => {
  server = await Server.start("open");
});
afterAll(() => server.stop());

test("a window follows rows that come, change, move and go, from wherever they are written", async () => {
  const client = corellaClient(server, "ada");
  const first = live(client, { from: "Task", where: { status: "open" }, orderBy: { position: "asc" }, limit: 3 });
  await first.ready;
  const titles = (): unknown[] => first.rows.map((row) => row["title"]);
  for (let index = 0; index < 5; index += 1) {
    await client.create("Task", { title: `T${index}`, position: index }, { id: `t${index}` });
  }
  await expect.poll(titles).toEqual(["T0", "T1", "T2"]);
  await client.patch("Task", "t1", { status: "done" });
  await expect.poll(titles).toEqual(["T0", "T2", "T3"]);
  const document = client.row("Task", "t4");
  await document.ready;
  document.set("position", -1);
  await expect.poll(titles).toEqual(["T4", "T0", "T2"]);
  const { seq } = await client.mutate({ entity: "Task", operation: "patch", id: "t0", fields: { title: "zero" } }).result;
  await first.reached(seq);
  expect(titles()).toEqual(["T4", "zero", "T2"]);
  await client.delete("Task", "t4");
  await expect.poll(titles).toEqual(["zero", "T2", "T3"]);
});

test("groups are counted, and stay counted", async () => {
  const client = corellaClient(server, "ada");
  const counts = live(client, { from: "Task", where: { estimate: 7 }, aggregate: { tasks: { $count: true } }, groupBy: ["status"] });
  await counts.ready;
  const seen = (): unknown[] => counts.rows.map((row) => [row["status"], row["tasks"]]);
  expect(seen()).toEqual([]);
  for (const [id, status] of [["c1", "open"], ["c2", "open"], ["c3", "done"]] as const) {
    await client.create("Task", { title: id, status, estimate: 7 }, { id });
  }
  await expect.poll(seen).toEqual([["done", 1], ["open", 2]]);
  await client.patch("Task", "c1", { status: "done" });
  await expect.poll(seen).toEqual([["done", 2], ["open", 1]]);
});

test("a killed server has its queries asked again, from where they were", async () => {
  const client = corellaClient(server, "ada");
  const urgent = live(client, { from: "Task", where: { urgent: true }, orderBy: { title: "asc" } });
  const kept = scope(client, { from: "Task", where: { urgent: true } });
  await urgent.ready;
  await client.create("Task", { title: "before", urgent: true }, { id: "u1" });
  await expect.poll(() => urgent.rows.map(({ id }) => id)).toEqual(["u1"]);
  await server.end("SIGKILL");
  await expect.poll(() => urgent.status.kind).toBe("stale");
  await server.restart();
  await expect.poll(() => urgent.status.kind).toBe("live");
  await client.create("Task", { title: "after", urgent: true }, { id: "u2" });
  await expect.poll(() => urgent.rows.map(({ id }) => id)).toEqual(["u2", "u1"]);
  await kept.complete();
  expect((await client.localRows("Task")).map(({ id }) => id)).toEqual(["u1", "u2"]);
});

test("a query that cannot be answered says why", async () => {
  const wrong = live(corellaClient(server, "ada"), { from: "Task", where: { pined: true } });
  await expect(wrong.ready).rejects.toMatchObject({ code: "invalid_query" });
});

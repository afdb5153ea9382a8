/** This project's own client against the real server: live rows. */

import { afterAll, beforeAll, expect, test } from "vitest";

import { corellaClient, synced, together, type } from "../support/corella.js";
import { Server } from "../support/server.js";
import { sqlite } from "../support/sqlite.js";
import { lateJoiner } from "../support/stock.js";

let server: Server;
beforeAll(async () => {
  server = await Server.start("open");
});
afterAll(() => server.stop());

test("two clients edit one row, and the table shows it", async () => {
  const ada = corellaClient(server, "ada").row("Task", "shared");
  const bob = corellaClient(server, "bob").row("Task", "shared");
  await Promise.all([ada.ready, bob.ready]);
  for (let round = 0; round < 100; round += 1) {
    type(ada, "notes", "a");
    type(bob, "notes", "b");
  }
  ada.set("title", "Shared");
  bob.set("estimate", 7);
  await synced(ada, bob);
  await together(ada, bob);
  const notes = ada.text("notes").toString();
  expect([notes.length, notes.replaceAll("a", "").length]).toEqual([200, 100]);
  expect(await sqlite(server, "select title, estimate, notes from Task where id = 'shared'")).toEqual([`Shared|7|${notes}`]);
  // A stock client reads the same document.
  expect((await lateJoiner(server, "Task/shared")).toJSON()).toEqual(ada.doc.toJSON());
});

test("an edit is pending until it is durable", async () => {
  const row = corellaClient(server, "ada").row("Task", "statuses");
  const statuses: string[] = [];
  row.onStatus((status) => statuses.push(status.kind));
  await row.ready;
  await synced(row);
  statuses.length = 0;
  row.set("title", "Counted");
  expect(row.status).toEqual({ kind: "pending", count: 1 });
  await synced(row);
  expect(statuses).toEqual(["pending", "synced"]);
  expect(await sqlite(server, "select title from Task where id = 'statuses'")).toEqual(["Counted"]);
});

test("work done offline and work done meanwhile are both there afterwards", async () => {
  const adaClient = corellaClient(server, "ada");
  const ada = adaClient.row("Task", "offline");
  const bob = corellaClient(server, "bob").row("Task", "offline");
  await Promise.all([ada.ready, bob.ready]);
  type(bob, "notes", "Both. ");
  await together(ada, bob);

  adaClient.setOffline(true);
  expect(ada.status).toEqual({ kind: "offline" });
  type(ada, "notes", "Ada's. ");
  ada.set("title", "by Ada");
  type(bob, "notes", "Bob's. ");
  bob.set("estimate", 3);
  await synced(bob);
  expect(ada.text("notes").toString()).toBe("Both. Ada's. ");

  adaClient.setOffline(false);
  await synced(ada);
  await together(ada, bob);
  expect(ada.text("notes").toString()).toContain("Ada's. ");
  expect(ada.text("notes").toString()).toContain("Bob's. ");
  expect([bob.get("title"), ada.get("estimate")]).toEqual(["by Ada", 3]);
});

test("a refused edit is handed back, and the row goes on with a fresh document", async () => {
  // What the server puts into a new row.
  const defaults = { position: 0, status: "open", urgent: false };
  const ada = corellaClient(server, "ada").row("Task", "refused");
  const bob = corellaClient(server, "bob").row("Task", "refused");
  await Promise.all([ada.ready, bob.ready]);
  bob.set("title", "kept");
  await synced(bob);
  await expect.poll(() => bob.fields.toJSON()).toEqual({ ...defaults, title: "kept" });
  await together(ada, bob);

  const rejections: { code: string; message: string; lost: unknown }[] = [];
  let replaced = 0;
  ada.onRejected(({ code, message, lost }) => rejections.push({ code, message, lost: lost.toJSON() }));
  ada.onReplaced(() => {
    replaced += 1;
  });
  ada.set("colour", "red");
  await expect.poll(() => replaced).toBe(1);
  expect(rejections).toEqual([
    { code: "unknown_field", message: expect.stringContaining("colour"), lost: { row: { ...defaults, title: "kept", colour: "red" } } },
  ]);
  expect(ada.fields.toJSON()).toEqual({ ...defaults, title: "kept" });

  ada.set("title", "after");
  await synced(ada);
  await together(ada, bob);
  expect(bob.fields.toJSON()).toEqual({ ...defaults, title: "after" });
});

test("a row that is served to nobody says why", async () => {
  const row = corellaClient(server, "ada").row("Nothing", "n1");
  await expect(row.ready).rejects.toMatchObject({ name: "CorellaError", code: "unknown_entity" });
  expect(row.status).toMatchObject({ kind: "refused", code: "unknown_entity" });
});

test("presence is seen, also by who comes late, and goes with its client", async () => {
  const adaClient = corellaClient(server, "ada");
  const ada = adaClient.row("Task", "present");
  const bob = corellaClient(server, "bob").row("Task", "present");
  await Promise.all([ada.ready, bob.ready]);
  ada.presence.set(ada.presenceId, { name: "Ada" });
  await expect.poll(() => bob.presence.get(ada.presenceId)).toEqual({ name: "Ada" });
  const late = corellaClient(server, "late").row("Task", "present");
  await expect.poll(() => late.presence.get(ada.presenceId)).toEqual({ name: "Ada" });
  adaClient.close();
  await expect.poll(() => bob.presence.getAllStates()).toEqual({});
  await expect.poll(() => late.presence.getAllStates()).toEqual({});
});

test("a killed server has lost nothing, and its clients come back", async () => {
  const own = await Server.start("open");
  try {
    const ada = corellaClient(own, "ada").row("Task", "killed");
    const bob = corellaClient(own, "bob").row("Task", "killed");
    await Promise.all([ada.ready, bob.ready]);
    type(ada, "notes", "Durable. ");
    await synced(ada);
    type(ada, "notes", "Perhaps. ");
    await own.end("SIGKILL");
    await expect.poll(() => ada.status.kind).toBe("connecting");
    type(ada, "notes", "Later. ");
    type(bob, "notes", "Bob too. ");
    await own.restart("other port");
    expect(await sqlite(own, "select notes like 'Durable. %' from Task where id = 'killed'")).toEqual(["1"]);
    await own.end("SIGTERM");

    await own.restart();
    await synced(ada, bob);
    await together(ada, bob);
    const notes = ada.text("notes").toString();
    expect(["Durable. ", "Perhaps. ", "Later. ", "Bob too. "].filter((words) => !notes.includes(words))).toEqual([]);
  } finally {
    await own.stop();
  }
});

/** This project's own client against the real server: documents that clients fill. */

import { afterAll, beforeAll, expect, test } from "vitest";

import { corellaClient, type RowHandle, synced, together, type } from "../support/corella.js";
import { Server } from "../support/server.js";
import { sqlite } from "../support/sqlite.js";

let server: Server;
beforeAll(async () => {
  server = await Server.start("open");
});
afterAll(() => server.stop());

const seed = (row: RowHandle): void => {
  row.fields.set("title", "New");
  row.text("notes").insert(0, "Dear diary,");
};

const stored = (id: string): Promise<string[]> => sqlite(server, `select title, notes from Task where id = '${id}'`);

test("clients that open a row at once fill it once", async () => {
  const clients = ["ada", "bob", "eve"].map((user) => corellaClient(server, user));
  for (let round = 0; round < 20; round += 1) {
    const rows = clients.map((client) => client.row("Task", `seeded-${round}`, { seed }));
    await Promise.all(rows.map((row) => row.ready));
    await synced(...rows);
    const [first, ...others] = rows as [RowHandle, ...RowHandle[]];
    for (const other of others) {
      await together(first, other);
    }
    expect(await stored(`seeded-${round}`)).toEqual(["New|Dear diary,"]);
    rows.forEach((row) => row.close());
  }
});

test("one that was offline keeps what it wrote on top of its seed", async () => {
  const away = corellaClient(server, "ada");
  away.setOffline(true);
  const hers = away.row("Task", "away", { seed });
  await hers.ready;
  type(hers, "notes", " it rained.");
  hers.set("estimate", 3);

  const his = corellaClient(server, "bob").row("Task", "away", { seed });
  await his.ready;
  await synced(his);
  away.setOffline(false);
  await synced(hers, his);
  await together(hers, his);
  expect(await stored("away")).toEqual(["New|Dear diary, it rained."]);
});

test("a server that is killed before it answers has it once when it is back", async () => {
  const rows = ["ada", "bob"].map((user) => corellaClient(server, user).row("Task", "killed", { seed }));
  await server.end("SIGKILL");
  await server.restart();
  await Promise.all(rows.map((row) => row.ready));
  await synced(...rows);
  await together(...(rows as [RowHandle, RowHandle]));
  expect(await stored("killed")).toEqual(["New|Dear diary,"]);
});

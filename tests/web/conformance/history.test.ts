/** Rows that keep only a part of their history: this project's own client and the stock one, after a long absence. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { LoroDoc } from "loro-crdt";
import { afterAll, beforeAll, expect, test } from "vitest";

import { corellaClient, type RowHandle, synced, type } from "../support/corella.js";
import { Server } from "../support/server.js";
import { sqlite } from "../support/sqlite.js";
import { lateJoiner, stockClient } from "../support/stock.js";

const run = promisify(execFile);

let server: Server;
beforeAll(async () => {
  server = await Server.start("history");
});
afterAll(() => server.stop());

/** Types until the row's tail has been folded once more. */
async function fold(row: RowHandle): Promise<void> {
  const folded = (): Promise<string[]> => sqlite(server, `select snapshot_seq from corella_rows where row_id = '${row.id}'`);
  const before = await folded();
  for (let count = 0; count < 90; count += 1) {
    type(row, "notes", "and so on ");
    await synced(row);
  }
  await expect.poll(folded).not.toEqual(before);
}

/** Has the server let go of the beginnings of a row. */
async function trim(row: RowHandle): Promise<void> {
  await fold(row);
  const hour = 3_600_000_000;
  await run("sqlite3", ["-cmd", ".timeout 5000", server.database, `update corella_rows set mark_at = mark_at - ${hour} where row_id = '${row.id}'`]);
  await fold(row);
}

test("a client that was away for too long gets the row afresh, and its unsent work back", async () => {
  const author = corellaClient(server, "ada").row("Sketch", "away");
  await author.ready;
  type(author, "notes", "At first. ");
  await synced(author);
  const client = corellaClient(server, "bob");
  const row = client.row("Sketch", "away");
  await row.ready;
  client.setOffline(true);
  type(row, "notes", "Written on a train. ");
  row.set("title", "Bob's");
  await trim(author);

  const reset = new Promise<Parameters<Parameters<RowHandle["onReset"]>[0]>[0]>((resolve) => row.onReset(resolve));
  client.setOffline(false);
  const { code, document, unsent } = await reset;
  expect(code).toBe("history_trimmed");
  expect(unsent).toEqual({ fields: { notes: "At first. Written on a train. ", title: "Bob's" } });
  expect(document.toJSON()).toMatchObject({ row: { title: "Bob's" } });
  await synced(row);
  expect(row.get("notes")).toBe(author.get("notes"));
  row.set("title", "Bob's, again");
  await synced(row);
  expect(await sqlite(server, "select title from Sketch where id = 'away'")).toEqual(["Bob's, again"]);
}, 60_000);

test("a stock client is told in its own words, and comes in with nothing", async () => {
  const author = corellaClient(server, "ada").row("Sketch", "stock");
  await author.ready;
  type(author, "notes", "At first. ");
  await synced(author);
  const old = new LoroDoc();
  old.import(author.doc.export({ mode: "update" }));
  await trim(author);

  for (const where of ["in memory", "at rest"]) {
    if (where === "at rest") {
      await server.end("SIGKILL");
      await server.restart();
    }
    const stranger = await stockClient(server, "bob");
    await expect(stranger.document("Sketch/stock", old.fork())).rejects.toThrow(/^Join failed: 127 - ./);
    const whole = await lateJoiner(server, "Sketch/stock");
    expect(whole.isShallow()).toBe(true);
    expect(whole.getMap("row").toJSON()).toEqual(author.fields.toJSON());
  }
  // And writes on from there.
  const bob = await stockClient(server, "bob");
  const { doc, room, refusals } = await bob.document("Sketch/stock");
  await room.waitForReachingServerVersion();
  doc.getMap("row").set("title", "by the stock client");
  doc.commit();
  await expect.poll(() => sqlite(server, "select title from Sketch where id = 'stock'")).toEqual(["by the stock client"]);
  expect(refusals).toEqual([]);
}, 60_000);

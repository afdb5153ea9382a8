/** What a client with many open rows costs when it comes back: counted, not timed. */

import { afterAll, beforeAll, expect, test } from "vitest";

import { corellaClient, synced, type } from "../support/corella.js";
import { Rounds } from "../support/rounds.js";
import { Server } from "../support/server.js";

const rowCount = 500;
/** Rows that somebody else changes meanwhile, and rows that are changed here. */
const [changedCount, editedCount] = [20, 10];

let server: Server;
beforeAll(async () => {
  server = await Server.start("open");
});
afterAll(() => server.stop());

test("five hundred open rows are in step again after two rounds, and only what is missing travels", async () => {
  const rounds = new Rounds();
  const client = corellaClient(server, "ada", rounds.Socket);
  const text = "What is to be done, in some sentences, as people write them into such a field. ".repeat(25);
  const rows = Array.from({ length: rowCount }, (_, index) => client.row("Task", `row-${index}`));
  await Promise.all(rows.map((row) => row.ready));
  rows.forEach((row) => type(row, "notes", text));
  await synced(...rows);

  client.setOffline(true);
  const others = corellaClient(server, "bob");
  const changed = rows.slice(0, changedCount).map(({ id }) => others.row("Task", id));
  await Promise.all(changed.map((row) => row.ready));
  await synced(...changed);
  changed.forEach((row) => type(row, "notes", "Meanwhile."));
  await synced(...changed);
  const edited = rows.slice(-editedCount);
  edited.forEach((row) => type(row, "notes", "Offline."));

  rounds.begin();
  client.setOffline(false);
  await synced(...rows);
  await expect.poll(() => rows.slice(0, changedCount).every((row) => String(row.get("notes")).endsWith("Meanwhile."))).toBe(true);
  const { travelled } = rounds;
  const updates = { received: travelled.received.filter(({ type }) => type === "update"), sent: travelled.sent.filter(({ type }) => type === "update") };
  const bytesOf = (frames: readonly (typeof travelled.sent)[number][]): number =>
    frames.reduce((sum, frame) => sum + (frame.type === "update" ? frame.updates.reduce((bytes, { length }) => bytes + length, 0) : 0), 0);
  console.info(
    `${rowCount} open rows: ${travelled.rounds} rounds, ${travelled.sentBytes} bytes sent, ${travelled.receivedBytes} received; of these ` +
      `${bytesOf(updates.sent)} bytes are ${updates.sent.length} updates sent, ${bytesOf(updates.received)} are ${updates.received.length} received`,
  );

  // With the opening of the socket these are three round trips.
  expect(travelled.rounds).toBe(2);
  expect([updates.sent.length, updates.received.length]).toEqual([editedCount, changedCount]);
  // Each of the documents has two thousand bytes.
  expect(bytesOf(updates.sent)).toBeLessThan(editedCount * 250);
  expect(bytesOf(updates.received)).toBeLessThan(changedCount * 250);
  // For a row that is in step: its name and its version, and the same back.
  expect(travelled.sentBytes + travelled.receivedBytes).toBeLessThan(rowCount * 250);
});

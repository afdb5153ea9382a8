/** Documents that no frame can hold: in fragments to the server, and in fragments to who comes late. */

import { LoroDoc } from "loro-crdt";
import { afterAll, beforeAll, expect, test } from "vitest";

import { journal } from "../support/journal.js";
import { Server } from "../support/server.js";
import { sqlite } from "../support/sqlite.js";
import { converged, lateJoiner, missing, stockClient } from "../support/stock.js";
import { longText } from "../support/text.js";

const mebibyte = 1 << 20;

let server: Server;
beforeAll(async () => {
  server = await Server.start("open");
});
afterAll(() => server.stop());

test("one edit of a mebibyte reaches the server, a watcher, and the table", async () => {
  const ada = await (await stockClient(server, "ada")).document("Task/large-value");
  const bob = await (await stockClient(server, "bob")).document("Task/large-value");
  const title = longText(mebibyte, 1);
  ada.doc.getMap("row").set("title", title);
  ada.doc.commit();
  await converged(ada.doc, bob.doc);
  expect(bob.doc.getMap("row").get("title")).toBe(title);
  expect(ada.refusals).toEqual([]);
  await expect.poll(() => sqlite(server, "select length(title) from Task where id = 'large-value'")).toEqual([String(mebibyte)]);
});

test("a pasted text of 900,000 characters, and edits of both sides in it", async () => {
  const ada = await (await stockClient(server, "ada")).document("large-text");
  const bob = await (await stockClient(server, "bob")).document("large-text");
  ada.doc.getText("text").insert(0, longText(900_000, 2));
  ada.doc.commit();
  await converged(ada.doc, bob.doc);
  bob.doc.getText("text").insert(450_000, "bob was here");
  ada.doc.getText("text").delete(0, 100_000);
  bob.doc.commit();
  ada.doc.commit();
  await converged(ada.doc, bob.doc);
  expect(ada.doc.getText("text").length).toBe(800_012);
  await converged(ada.doc, await lateJoiner(server, "large-text"));
});

test.each([1, 5])("a late joiner gets all of a document of %i MiB", async (size) => {
  const room = `large-document-${size}`;
  const writer = await stockClient(server, "ada");
  const ada = await writer.document(room);
  for (let page = 0; page < size * 4; page += 1) {
    ada.doc.getText(`page ${page}`).insert(0, longText(mebibyte / 4, page));
    ada.doc.commit();
  }
  await expect.poll(() => missing(ada.doc, journal.acknowledged(room)).length).toBe(0);
  await expect.poll(() => journal.acknowledged(room).get(ada.doc.peerIdStr)).toBe(ada.doc.oplogVersion().get(ada.doc.peerIdStr));
  writer.client.close();

  const late = await lateJoiner(server, room);
  await converged(ada.doc, late);
  expect(journal.receivedBytes(`%LOR${room}`)).toBeGreaterThan(size * mebibyte);

  // Who has it all but for one edit gets that edit and nothing else.
  const before = journal.receivedBytes(`%LOR${room}`);
  const behind = LoroDoc.fromSnapshot(late.export({ mode: "snapshot" }));
  const bob = await (await stockClient(server, "bob")).document(room);
  await bob.room.waitForReachingServerVersion();
  const whole = journal.receivedBytes(`%LOR${room}`) - before;
  bob.doc.getText("page 0").insert(7, "!");
  bob.doc.commit();
  await expect.poll(() => journal.acknowledged(room).get(bob.doc.peerIdStr)).toBe(1);
  const known = journal.receivedBytes(`%LOR${room}`);
  const caughtUp = await (await stockClient(server, "bob")).document(room, behind);
  await caughtUp.room.waitForReachingServerVersion();
  await converged(bob.doc, behind);
  expect(journal.receivedBytes(`%LOR${room}`) - known).toBeLessThan(500);
  expect(whole).toBeGreaterThan(size * mebibyte);
});

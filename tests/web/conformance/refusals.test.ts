/** An update that the server refuses is the business of its sender alone. */

import { randomUUID } from "node:crypto";

import { UpdateStatusCode } from "loro-protocol";
import { afterAll, beforeAll, expect, test } from "vitest";

import { Server } from "../support/server.js";
import { sqlite } from "../support/sqlite.js";
import { converged, lateJoiner, stockClient, type DocumentRoom } from "../support/stock.js";

let server: Server;
beforeAll(async () => {
  server = await Server.start("open");
});
afterAll(() => server.stop());

test.each<[string, (room: DocumentRoom) => void]>([
  ["a field that is not declared", ({ doc }) => doc.getMap("row").set("colour", "red")],
  ["a value of another type", ({ doc }) => doc.getMap("row").set("urgent", "very")],
  ["a choice that is not offered", ({ doc }) => doc.getMap("row").set("status", "postponed")],
  ["a root beside the row", ({ doc }) => doc.getText("elsewhere").insert(0, "hidden")],
  ["a word in the register of deletions", ({ doc }) => doc.getMap("meta").set("deleted", "yes")],
  ["another key beside the register of deletions", ({ doc }) => doc.getMap("meta").set("owner", "ada")],
])("%s", async (_, edit) => {
  const id = randomUUID();
  const ada = await (await stockClient(server, "ada")).document(`Task/${id}`);
  const bob = await (await stockClient(server, "bob")).document(`Task/${id}`);
  ada.doc.getMap("row").set("title", "before");
  ada.doc.commit();
  await converged(ada.doc, bob.doc);

  edit(ada);
  ada.doc.commit();
  await expect.poll(() => ada.refusals).toEqual([{ status: UpdateStatusCode.InvalidUpdate, reason: "invalid_update" }]);

  bob.doc.getMap("row").set("title", "after");
  bob.doc.commit();
  await expect.poll(() => ada.doc.getMap("row").get("title")).toBe("after");
  expect(bob.refusals).toEqual([]);
  await converged(bob.doc, await lateJoiner(server, `Task/${id}`));
  expect(await sqlite(server, `select title from Task where id = '${id}'`)).toEqual(["after"]);
});

/** Presence with the stock adaptor: seen by all who are here, and gone with who leaves. */

import { afterAll, beforeAll, expect, test } from "vitest";

import { Server } from "../support/server.js";
import { stockClient } from "../support/stock.js";

let server: Server;
beforeAll(async () => {
  server = await Server.start("open");
});
afterAll(() => server.stop());

test.each(["Task/here", "here"])("presence in %s", async (room) => {
  const adaClient = await stockClient(server, "ada");
  const bobClient = await stockClient(server, "bob");
  const ada = await adaClient.presence(room);
  const bob = await bobClient.presence(room);

  ada.store.set("ada", { name: "Ada", at: 3, colors: ["red", "blue"] });
  await expect.poll(() => bob.store.getAllStates()).toEqual({ ada: { name: "Ada", at: 3, colors: ["red", "blue"] } });

  bob.store.set("bob", { name: "Bob" });
  ada.store.set("ada", { name: "Ada", at: 4 });
  const both = { ada: { name: "Ada", at: 4 }, bob: { name: "Bob" } };
  await expect.poll(() => bob.store.getAllStates()).toEqual(both);
  await expect.poll(() => ada.store.getAllStates()).toEqual(both);

  // Who comes late is told without waiting for the next change.
  const late = await (await stockClient(server, "late")).presence(room);
  await expect.poll(() => late.store.getAllStates()).toEqual(both);

  // Who takes an entry back is gone for the others at once.
  bob.store.delete("bob");
  await expect.poll(() => late.store.get("bob")).toBeUndefined();

  adaClient.client.close();
  await expect.poll(() => late.store.getAllStates()).toEqual({});
  await expect.poll(() => bob.store.getAllStates()).toEqual({});
});

test("leaving the room takes presence along, and the connection lives on", async () => {
  const adaClient = await stockClient(server, "ada");
  const ada = await adaClient.presence("Task/left");
  const document = await adaClient.document("Task/left");
  const bob = await (await stockClient(server, "bob")).presence("Task/left");
  ada.store.set("ada", "here");
  await expect.poll(() => bob.store.get("ada")).toBe("here");
  await ada.room.leave();
  await expect.poll(() => bob.store.get("ada")).toBeUndefined();
  document.doc.getMap("row").set("title", "still here");
  document.doc.commit();
  await adaClient.client.ping();
  expect(document.refusals).toEqual([]);
});

test("presence and document of one name are two rooms on one connection", async () => {
  const adaClient = await stockClient(server, "ada");
  const bobClient = await stockClient(server, "bob");
  const [adaDoc, ada] = [await adaClient.document("Task/both"), await adaClient.presence("Task/both")];
  const [bobDoc, bob] = [await bobClient.document("Task/both"), await bobClient.presence("Task/both")];
  ada.store.set("ada", "typing");
  adaDoc.doc.getMap("row").set("title", "Together");
  adaDoc.doc.commit();
  await expect.poll(() => bobDoc.doc.getMap("row").get("title")).toBe("Together");
  await expect.poll(() => bob.store.get("ada")).toBe("typing");
});

/** A stock client that joins sends all that it knows, what it knows of others included. */
test("who comes back is seen again, although it repeats what others said", async () => {
  const ada = await (await stockClient(server, "ada")).presence("Task/back");
  const bobClient = await stockClient(server, "bob");
  const bob = await bobClient.presence("Task/back");
  ada.store.set("ada", "here");
  bob.store.set("bob", "here");
  await expect.poll(() => ada.store.getAllStates()).toEqual({ ada: "here", bob: "here" });
  await expect.poll(() => bob.store.getAllStates()).toEqual({ ada: "here", bob: "here" });

  bobClient.client.close();
  await expect.poll(() => ada.store.getAllStates()).toEqual({ ada: "here" });
  ada.store.set("ada", "moved");
  bob.store.set("bob", "back");
  await bobClient.client.connect();
  await expect.poll(() => ada.store.get("bob")).toBe("back");
  await expect.poll(() => bob.store.get("ada")).toBe("moved");
  expect(ada.store.get("ada")).toBe("moved");
});

test("of two windows of one person, one can go without the other", async () => {
  const one = await (await stockClient(server, "ada")).presence("Task/windows");
  const twoClient = await stockClient(server, "ada");
  const two = await twoClient.presence("Task/windows");
  const bob = await (await stockClient(server, "bob")).presence("Task/windows");
  one.store.set("one", "here");
  two.store.set("two", "here");
  await expect.poll(() => two.store.getAllStates()).toEqual({ one: "here", two: "here" });
  twoClient.client.close();
  await expect.poll(() => bob.store.getAllStates()).toEqual({ one: "here" });
  await twoClient.client.connect();
  await expect.poll(() => bob.store.getAllStates()).toEqual({ one: "here", two: "here" });
  twoClient.client.close();
  await expect.poll(() => bob.store.get("two")).toBeUndefined();
  expect(bob.store.getAllStates()).toEqual({ one: "here" });
});

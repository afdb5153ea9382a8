/** The last rungs of the ladder: a scope, and all that a device keeps, fetched anew without losing what is unsent. */

import { LoroDoc } from "loro-crdt";
import { expect, onTestFinished, test, vi } from "vitest";

import { MemoryStorage } from "../../src/index.js";
import { live, resetReplica, scope } from "../../src/live/index.js";
import { rowKey } from "../../src/storage/port.js";
import { openClient } from "../support/clients.js";
import { FakeServer } from "../support/fake-server.js";

const ids = ["a", "b", "c"];
const key = (id: string) => rowKey("Note", id);

/** Rows on the server and on the device, one of which the device has wrong, and one with an unsent edit. */
async function begin() {
  const server = await FakeServer.start();
  onTestFinished(() => server.stop());
  ids.forEach((id) => server.edit(`Note/${id}`, (doc) => doc.getMap("row").set("title", id)));
  server.answer = () => ({ type: "snapshot", seq: 1, epoch: "e1", rows: ids.map((id) => ({ id, title: id })), cursor: null });
  const storage = new MemoryStorage();
  const client = openClient(server.url, { storage });
  const notes = scope(client, { from: "Note" });
  await notes.complete();

  // A copy that is wrong, and says of itself that it is in step.
  const forged = new LoroDoc();
  forged.getMap("row").set("title", "not what the server has");
  await storage.write([{ type: "replace", key: key("b"), part: forged.export({ mode: "snapshot" }), unsent: {}, epoch: undefined }]);
  client.setOffline(true);
  const row = client.row("Note", "c");
  await row.ready;
  row.set("title", "unsent");
  await vi.waitFor(() => expect(row.saved).toBe(true));
  row.close();
  await vi.waitFor(async () => expect(await storage.unsentRows()).toEqual([key("c")]));
  const titles = async (): Promise<unknown[]> => (await client.localRows("Note")).map(({ fields }) => fields["title"]);
  expect(await titles()).toEqual(["a", "not what the server has", "unsent"]);
  return { server, storage, client, notes, titles };
}

test("a scope that is reset has the server's documents again, and the unsent edit", async () => {
  const { server, client, notes, titles } = await begin();
  await notes.reset();
  expect((await titles()).slice(-1)).toEqual(["unsent"]);
  client.setOffline(false);
  await notes.complete();
  await vi.waitFor(async () => expect(await titles()).toEqual(["a", "b", "unsent"]));
  await server.until(() => server.document("Note/c").getMap("row").get("title") === "unsent");
});

test("a replica that is reset keeps nothing but what is unsent", async () => {
  const { server, storage, client, titles } = await begin();
  expect(await resetReplica(client)).toBe(2);
  expect(await titles()).toEqual(["unsent"]);
  expect(await storage.recall("answers")).toBeUndefined();
  client.setOffline(false);
  await server.until(() => server.document("Note/c").getMap("row").get("title") === "unsent");
  const row = client.row("Note", "b");
  await row.ready;
  expect(row.get("title")).toBe("b");
  await live(client, { from: "Note" }).ready;
});

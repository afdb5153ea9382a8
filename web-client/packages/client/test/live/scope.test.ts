/** Scopes: which documents are on the device, and when. */

import { beforeEach, expect, onTestFinished, test, vi } from "vitest";

import { type CorellaClient, MemoryStorage } from "../../src/index.js";
import { scope } from "../../src/live/index.js";
import { openClient } from "../support/clients.js";
import { FakeServer } from "../support/fake-server.js";

let server: FakeServer;
let answered: string[];
beforeEach(async () => {
  const started = await FakeServer.start();
  server = started;
  onTestFinished(() => started.stop());
  answered = Array.from({ length: 100 }, (_, index) => `n${index}`);
  for (const id of answered) {
    server.edit(`Note/${id}`, (doc) => doc.getMap("row").set("title", id));
  }
  server.answer = () => snapshot();
});

let seq = 0;
function snapshot(): object {
  seq += 1;
  return { type: "snapshot", seq, epoch: "e1", rows: answered.map((id) => ({ id, title: server.document(`Note/${id}`).getMap("row").get("title") })), cursor: null };
}

const tell = (): void => server.subscriptions.forEach(({ ref }) => server.say({ ref, ...snapshot() }));
const kept = async (client: CorellaClient): Promise<string[]> => (await client.localRows("Note")).map(({ fields }) => String(fields["title"])).sort();
const client = (storage: MemoryStorage): CorellaClient => openClient(server.url, { storage });

test("brings all documents, which can be edited offline by the next page", async () => {
  const storage = new MemoryStorage();
  const first = client(storage);
  const notes = scope(first, { from: "Note" });
  expect(notes.status.kind).toBe("incomplete");
  await notes.complete();
  expect(await kept(first)).toEqual([...answered].sort());
  await first.close();
  await server.stop();

  const second = client(storage);
  const row = second.row("Note", "n7");
  await row.ready;
  row.set("title", "edited offline");
  expect(await kept(second)).toContain("edited offline");
  await server.listen();
  await vi.waitFor(() => expect(server.document("Note/n7").getMap("row").get("title")).toBe("edited offline"));
});

test("follows changes of rows, their coming and their going, and keeps what is unsent", async () => {
  const storage = new MemoryStorage();
  const device = client(storage);
  const notes = scope(device, { from: "Note" });
  await notes.complete();
  server.edit("Note/n1", (doc) => doc.getMap("row").set("title", "changed"));
  server.edit("Note/new", (doc) => doc.getMap("row").set("title", "new"));
  answered = [...answered.filter((id) => id !== "n2"), "new"];
  tell();
  await vi.waitFor(async () => {
    const titles = await kept(device);
    expect([titles.includes("changed"), titles.includes("new"), titles.includes("n2")]).toEqual([true, true, false]);
  });

  server.heldAcks = [];
  const unsent = device.row("Note", "n3");
  await unsent.ready;
  unsent.set("title", "unsent");
  await vi.waitFor(() => expect(unsent.saved).toBe(true));
  unsent.close();
  answered = answered.filter((id) => id !== "n3");
  tell();
  await vi.waitFor(() => expect(notes.answer.rows).toHaveLength(answered.length));
  expect(await kept(device)).toContain("unsent");
  server.releaseAcks();
  await vi.waitFor(() => expect(server.document("Note/n3").getMap("row").get("title")).toBe("unsent"));
});

test("only what has changed is fetched after an interruption", async () => {
  const storage = new MemoryStorage();
  const first = client(storage);
  await scope(first, { from: "Note" }).complete();
  await first.close();
  await vi.waitFor(async () => expect(await storage.recall("answers")).toBeDefined());
  server.edit("Note/n5", (doc) => doc.getMap("row").set("title", "changed"));
  server.received.length = 0;
  const notes = scope(client(storage), { from: "Note" });
  await notes.complete();
  const joins = server.received.flatMap((frame) => (frame.type === "join" && frame.magic === "%LOR" ? [frame] : []));
  expect(joins.every(({ version }) => version.length > 1), "each names what it has").toBe(true);
});

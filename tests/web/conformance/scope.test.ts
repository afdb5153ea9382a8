/** Scopes against the server: which changes of rows bring their documents. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { LoroDoc } from "loro-crdt";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket as NodeWebSocket } from "ws";

import { CorellaClient, MemoryStorage, rowKey } from "../../../web-client/packages/client/dist/index.js";
import { scope } from "../../../web-client/packages/client/dist/live/index.js";
import { corellaClient, synced } from "../support/corella.js";
import { Server } from "../support/server.js";

/** What the server says on a socket of Bob's that has asked for these queries, as it comes. */
async function say(server: Server, ...messages: readonly object[]): Promise<Record<string, unknown>[]> {
  const heard: Record<string, unknown>[] = [];
  const socket = new NodeWebSocket(`${server.url.replace("http", "ws")}/ws?token=${await server.token("bob")}`);
  onTestFinished(() => socket.close());
  socket.on("message", (data, isBinary) => !isBinary && heard.push(JSON.parse(String(data)) as Record<string, unknown>));
  await new Promise((resolve) => socket.once("open", resolve));
  messages.forEach((message) => socket.send(JSON.stringify(message)));
  return heard;
}

const device = (server: Server, storage: MemoryStorage): CorellaClient => {
  const client = new CorellaClient({ url: server.url, token: () => server.token("ada"), WebSocket: NodeWebSocket as unknown as typeof WebSocket, storage });
  onTestFinished(() => client.close());
  return client;
};

test("a change of marks alone brings a document, also when it was made while the device was away", async () => {
  const server = await Server.start("kinds");
  onTestFinished(() => server.stop());
  const storage = new MemoryStorage();
  const client = device(server, storage);
  const items = scope(client, { from: "Item" });
  await items.answer.ready;

  const others = corellaClient(server, "bob");
  const row = others.row("Item", "marked");
  await row.ready;
  row.set("title", "One");
  row.text("body").insert(0, "bold words");
  row.doc.commit();
  await synced(row);
  const other = others.row("Item", "other");
  await other.ready;
  other.set("title", "Other");
  /** The text with its marks, as the device has it without opening the row. */
  const kept = async (): Promise<unknown> => {
    const doc = new LoroDoc();
    doc.importBatch([...((await storage.load(rowKey("Item", "marked")))?.parts ?? [])]);
    return JSON.parse(JSON.stringify(doc.getMap("row").ensureMergeableText("body").toDelta()));
  };
  await expect.poll(kept).toEqual([{ insert: "bold words" }]);
  await expect.poll(() => items.answer.rows.length).toBe(2);

  const bold = { bold: true };
  row.doc.configTextStyle({ bold: { expand: "after" } });
  row.text("body").mark({ start: 0, end: 4 }, "bold", true);
  row.doc.commit();
  await expect.poll(kept).toEqual([{ insert: "bold", attributes: bold }, { insert: " words" }]);
  await items.complete();
  items.close();
  await client.close();

  row.text("body").mark({ start: 5, end: 10 }, "bold", true);
  row.doc.commit();
  await synced(row);
  const back = device(server, storage);
  const joined: string[] = [];
  const open = back.row.bind(back);
  back.row = ((entity: string, id: string) => {
    joined.push(id);
    return open(entity, id);
  }) as typeof back.row;
  await scope(back, { from: "Item" }).complete();
  expect(await kept()).toEqual([{ insert: "bold", attributes: bold }, { insert: " " }, { insert: "words", attributes: bold }]);
  expect(joined, "what has not changed is not asked for").toEqual(["marked"]);
});

test("what may not be read is not told of, and groups have no documents", async () => {
  const folder = await mkdtemp(join(tmpdir(), "corella-scope-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const fields = [{ name: "title", type: "string" }, { name: "secret", type: "string", optional: true, allowRead: "auth.userId == 'ada'" }];
  const entities = [{ name: "Open", fields: [fields[0]] }, { name: "Guarded", fields }];
  const policies = entities.map(({ name }) => ({ name, entity: name, allow: "auth.userId != null" }));
  await writeFile(join(folder, "manifest.json"), JSON.stringify({ manifest_version: 1, name: "m", version: "1", entities, policies }));
  const server = await Server.start(`/${join(folder, "manifest.json").slice(1)}`);
  onTestFinished(() => server.stop());
  const heard = await say(
    server,
    { type: "hello" },
    { type: "subscribe", ref: "guarded", query: { from: "Guarded" }, documents: true },
    { type: "subscribe", ref: "groups", query: { from: "Open", aggregate: { rows: { $count: true } } }, documents: true },
  );
  const ada = corellaClient(server, "ada");
  const { id } = await ada.create("Guarded", { title: "One", secret: "a" });
  await ada.patch("Guarded", id, { secret: "b" });
  await ada.patch("Guarded", id, { title: "Two" });
  const changes = (): unknown[] => heard.filter(({ type }) => type === "changes").flatMap(({ answers }) => answers as unknown[]);
  await expect.poll(() => JSON.stringify(changes())).toContain("Two");
  expect(changes()).toEqual([
    { ref: "guarded", upsert: [{ id, at: 0, row: { id, title: "One" } }] },
    { ref: "guarded", upsert: [{ id, row: { title: "Two" } }] },
  ]);
  expect(heard.find(({ type }) => type === "hello")?.["can"]).toEqual(["documents"]);
  expect(heard.find(({ type }) => type === "error")).toMatchObject({ code: "invalid_query", ref: "groups" });
});

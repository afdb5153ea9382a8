/** Scopes against the server: which changes of rows bring their documents. */

import { LoroDoc } from "loro-crdt";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket as NodeWebSocket } from "ws";

import { CorellaClient, MemoryStorage, type RowKey } from "../../../web-client/packages/client/dist/index.js";
import { scope } from "../../../web-client/packages/client/dist/live/index.js";
import { corellaClient, synced } from "../support/corella.js";
import { Server } from "../support/server.js";

test("a change that no column shows does not bring a document", async () => {
  const server = await Server.start("kinds");
  onTestFinished(() => server.stop());
  const storage = new MemoryStorage();
  const client = new CorellaClient({ url: server.url, token: () => server.token("ada"), WebSocket: NodeWebSocket as unknown as typeof WebSocket, storage });
  onTestFinished(() => client.close());
  const items = scope(client, { from: "Item" });
  await items.answer.ready;

  const row = corellaClient(server, "bob").row("Item", "marked");
  await row.ready;
  row.set("title", "One");
  row.text("body").insert(0, "bold words");
  row.doc.commit();
  await synced(row);
  /** The text with its marks, as the device has it without opening the row. */
  const kept = async (): Promise<unknown> => {
    const doc = new LoroDoc();
    doc.importBatch([...((await storage.load("Item/marked" as RowKey))?.parts ?? [])]);
    return JSON.parse(JSON.stringify(doc.getMap("row").ensureMergeableText("body").toDelta()));
  };
  await expect.poll(kept).toEqual([{ insert: "bold words" }]);

  row.doc.configTextStyle({ bold: { expand: "after" } });
  row.text("body").mark({ start: 0, end: 4 }, "bold", true);
  row.doc.commit();
  await synced(row);
  const other = corellaClient(server, "bob").row("Item", "later");
  await other.ready;
  other.set("title", "Later");
  await expect.poll(() => items.answer.rows.length).toBe(2);
  await items.complete();
  // FIXME: marks alone leave the row's columns as they are, and the server tells of changed columns.
  expect(await kept()).toEqual([{ insert: "bold words" }]);

  row.set("title", "Two");
  await expect.poll(kept).toEqual([{ insert: "bold", attributes: { bold: true } }, { insert: " words" }]);
});

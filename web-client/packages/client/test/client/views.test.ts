/** Lists of what the device has: read without documents, and never behind them. */

import { LoroDoc } from "loro-crdt";
import { expect, onTestFinished, test, vi } from "vitest";

import { MemoryStorage } from "../../src/index.js";
import { rowKey, type RowKey, type KeptRow } from "../../src/storage/port.js";
import { isSynced, openClient, until } from "../support/clients.js";
import { FakeServer } from "../support/fake-server.js";

/** Counts the documents that are read for lists. */
class CountingStorage extends MemoryStorage {
  documentsRead = 0;

  override loadEach(keys: readonly RowKey[]): Promise<readonly KeptRow[]> {
    this.documentsRead += keys.length;
    return super.loadEach(keys);
  }
}

async function begin(): Promise<{ readonly server: FakeServer; readonly storage: CountingStorage }> {
  const server = await FakeServer.start();
  onTestFinished(() => server.stop());
  return { server, storage: new CountingStorage() };
}

const titles = async (client: { localRows: (entity: string) => Promise<readonly { readonly fields: Readonly<Record<string, unknown>> }[]> }): Promise<unknown[]> =>
  (await client.localRows("Note")).map(({ fields }) => fields["title"]);

test("a list of closed rows reads no documents once it is quiet, and those that changed after that", async () => {
  const { server, storage } = await begin();
  const client = openClient(server.url, { storage });
  for (const id of ["a", "b", "c"]) {
    const row = client.row("Note", id);
    await row.ready;
    row.set("title", id);
    await until(row, (each) => isSynced(each) && each.saved);
    row.close();
  }
  await vi.waitFor(async () => expect(await storage.unviewedRows()).toEqual([]), 5_000);
  storage.documentsRead = 0;
  expect(await titles(client)).toEqual(["a", "b", "c"]);
  expect(storage.documentsRead).toBe(0);

  // A page that ended before it was quiet left a change without a view.
  await client.close();
  const doc = new LoroDoc();
  doc.importBatch([...((await storage.load(rowKey("Note", "b")))?.parts ?? [])]);
  const before = doc.oplogVersion();
  doc.getMap("row").set("title", "b, changed");
  await storage.write([{ type: "append", key: rowKey("Note", "b"), part: doc.export({ mode: "update", from: before }) }]);
  const again = openClient(server.url, { storage });
  expect(await titles(again)).toEqual(["a", "b, changed", "c"]);
  expect(storage.documentsRead).toBe(1);
  expect(await titles(again)).toEqual(["a", "b, changed", "c"]);
  expect(storage.documentsRead).toBe(1);
});

test("a list shows open rows as they are at that moment", async () => {
  const { server, storage } = await begin();
  const client = openClient(server.url, { storage });
  const row = client.row("Note", "a");
  await row.ready;
  row.set("title", "before");
  await until(row, (each) => each.saved);
  row.set("title", "now");
  expect(await titles(client)).toEqual(["now"]);
});

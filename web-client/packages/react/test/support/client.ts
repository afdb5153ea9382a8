/** A client without a server, whose device already keeps some rows. */

import { CorellaClient, MemoryStorage, type RowKey } from "@corella/client";
import { LoroDoc } from "loro-crdt";
import { onTestFinished } from "vitest";

/** A socket that never opens. */
export class NoSocket extends EventTarget {
  binaryType = "blob";
  send(): void {}
  close(): void {}
}

export async function clientWith(rows: Readonly<Record<string, (doc: LoroDoc) => void>>): Promise<CorellaClient> {
  const storage = new MemoryStorage();
  for (const [key, fill] of Object.entries(rows)) {
    const doc = new LoroDoc();
    fill(doc);
    doc.commit();
    await storage.write([{ type: "append", key: key as RowKey, part: doc.export({ mode: "snapshot" }) }]);
  }
  const client = new CorellaClient({ url: "http://127.0.0.1:1", WebSocket: NoSocket as unknown as typeof WebSocket, storage });
  onTestFinished(() => client.close());
  return client;
}

/** This project's own client, as it is built for those who use it. */

// By its path, not as a dependency: tests and client then never argue about one copy of the document library.
import { CorellaClient, type RowHandle } from "../../../web-client/packages/client/dist/index.js";
import { expect, onTestFinished } from "vitest";
import { WebSocket as NodeWebSocket } from "ws";

import type { Server } from "./server.js";

export { CorellaError } from "../../../web-client/packages/client/dist/index.js";
export type { CorellaClient, RowHandle };

export function corellaClient(server: Server, user: string, Socket = NodeWebSocket as unknown as typeof WebSocket): CorellaClient {
  const client = new CorellaClient({
    url: server.url,
    token: () => server.token(user),
    WebSocket: Socket,
  });
  onTestFinished(() => client.close());
  return client;
}

/** Types at the end of a text field, in one commit. */
export function type(row: RowHandle, field: string, text: string): void {
  row.text(field).push(text);
  row.doc.commit();
}

export async function synced(...rows: readonly RowHandle[]): Promise<void> {
  for (const row of rows) {
    await expect.poll(() => row.status).toEqual({ kind: "synced" });
  }
}

/** Waits until all documents have the same operations and say the same. */
export async function together(first: RowHandle, second: RowHandle): Promise<void> {
  await expect.poll(() => first.doc.oplogVersion().compare(second.doc.oplogVersion())).toBe(0);
  expect(first.doc.toJSON()).toEqual(second.doc.toJSON());
}

/** Clients for tests, closed when the test ends, and waiting without sleeping. */

import { WebSocket as NodeWebSocket } from "ws";
import { onTestFinished } from "vitest";

import { CorellaClient, type CorellaClientOptions, type RowHandle } from "../../src/index.js";

/** The `ws` package's class has all that the client uses of the standard one. */
export const TestWebSocket = NodeWebSocket as unknown as typeof WebSocket;

export function openClient(url: string, options: Omit<CorellaClientOptions, "url"> = {}): CorellaClient {
  const client = new CorellaClient({ url, WebSocket: TestWebSocket, ...options });
  onTestFinished(() => client.close());
  return client;
}

/** Resolves when `holds` is true, looked at after each event of the row. */
export function until(row: RowHandle, holds: (row: RowHandle) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (holds(row)) {
        for (const stop of stops) {
          stop();
        }
        resolve();
      }
    };
    const stops = [row.onStatus(look), row.onSaved(look), row.onChange(look), row.onPresence(look), row.onReplaced(look), row.onRejected(look)];
    look();
  });
}

export const isSynced = (row: RowHandle): boolean => row.status.kind === "synced";

/** Types into a text field, as an editor would: one commit. */
export function type(row: RowHandle, field: string, text: string): void {
  row.text(field).insert(row.text(field).length, text);
  row.doc.commit();
}

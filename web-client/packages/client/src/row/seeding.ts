/** Fills a row's empty document, after finding out as far as possible that it is empty. */

import type { RowHandle } from "../public/types.js";
import type { Row } from "./row.js";

/** With a connection that is long in coming it is not waited for: the server decides later who was first. */
const PATIENCE_MILLISECONDS = 2_000;

/** Resolves when the document has something, of this or of another making, or the row is gone. */
export async function seedOnce(row: Row, seed: (row: RowHandle) => void): Promise<void> {
  await row.loaded;
  if (row.isEmpty) {
    await row.exclusively(async () => {
      // Another tab may have filled it a moment ago.
      await row.store.load(row.doc).catch(() => false);
      if (row.isEmpty && (await whetherToFill(row))) {
        row.fill(seed);
        await settled(row);
      }
    });
  }
}

function whetherToFill(row: Row): Promise<boolean> {
  return new Promise((resolve) => {
    const decide = (): void => {
      const { kind } = row.status;
      if (!row.isEmpty || row.isDisposed || kind === "refused") {
        end(false);
      } else if (kind === "synced" || kind === "offline") {
        end(true);
      }
    };
    const end = (answer: boolean): void => {
      clearTimeout(timer);
      stops.forEach((stop) => stop());
      resolve(answer);
    };
    const timer = setTimeout(() => end(row.isEmpty && !row.isDisposed), PATIENCE_MILLISECONDS);
    const stops = [row.onStatus(decide), row.onChange(decide)];
    decide();
  });
}

/** Other tabs may look when storage has it, or will not have it. */
function settled(row: Row): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (row.saved || row.isDisposed) {
        stop();
        clearTimeout(timer);
        resolve();
      }
    };
    const timer = setTimeout(() => {
      stop();
      resolve();
    }, PATIENCE_MILLISECONDS);
    const stop = row.onSaved(look);
    look();
  });
}

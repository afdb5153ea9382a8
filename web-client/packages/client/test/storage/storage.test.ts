import "fake-indexeddb/auto";

import { describe, test } from "vitest";

import { storageAcceptance } from "../../src/storage/acceptance.js";
import { IndexedDbStorage } from "../../src/storage/indexed-db.js";
import { MemoryStorage } from "../../src/storage/memory.js";

describe("memory", () => {
  test.each(storageAcceptance)("$name", async ({ run }) => {
    const storage = new MemoryStorage();
    await run(() => storage);
  });
});

describe("IndexedDB, as an imitation", () => {
  let count = 0;
  test.each(storageAcceptance)("$name", async ({ run }) => {
    count += 1;
    const name = `acceptance-${count}`;
    await run(() => new IndexedDbStorage(name));
  });
});

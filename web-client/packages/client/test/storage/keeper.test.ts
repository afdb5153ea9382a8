/** Writes reach storage whenever they come. */

import { expect, test } from "vitest";

import { MemoryStorage } from "../../src/index.js";
import { Keeper } from "../../src/storage/keeper.js";

test("a write that comes just when those before it are done is written too", async () => {
  const keeper = new Keeper(new MemoryStorage(), { storageChanged: () => {}, makeRoom: () => Promise.resolve() });
  const remember = (value: string): Promise<void> => keeper.write({ type: "remember", name: "fact", value });
  // At each of the moments between the end of a batch and the next.
  for (let turns = 0; turns < 20; turns += 1) {
    let wait: Promise<unknown> = remember(`before ${turns}`);
    for (let turn = 0; turn < turns; turn += 1) {
      wait = wait.then(() => {});
    }
    await wait.then(() => remember(`after ${turns}`));
    expect(await keeper.storage.recall("fact")).toBe(`after ${turns}`);
  }
  expect(keeper.status).toEqual({ kind: "saved" });
});

/** A collection of `@corella/tanstack` in Chromium: what was changed offline, and the page loaded again. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";

import { openContext, openTab } from "../support/probe.js";
import { sqlite } from "../support/sqlite.js";
import { onStage } from "../support/stage.js";
import type { Cards, Client } from "../support/probe/page.js";

const stage = onStage("board");

type InPage = { readonly client: Client; readonly cards: Cards };

/** In the page: a client of Ada's that has a connection or has none, and the collection of cards. */
async function begin(page: Page, isOffline: boolean): Promise<void> {
  await page.evaluate((isOffline) => {
    const { CorellaClient, corellaCollectionOptions, createCollection } = window.probe;
    const token = async (): Promise<string> => {
      const answer = await fetch("/dev/token", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ user: "ada" }) });
      return ((await answer.json()) as { token: string }).token;
    };
    const client = new CorellaClient({ url: location.origin, user: "ada", token });
    client.setOffline(isOffline);
    const cards = createCollection(corellaCollectionOptions<{ readonly id: string; title: string; readonly board: string }>({ client, entity: "Card", query: { select: ["id", "title", "board"] } }));
    Object.assign(window, { client, cards });
    cards.startSyncImmediate();
  }, isOffline);
}

const titles = (page: Page): Promise<string[]> => page.evaluate(() => [...(window as unknown as InPage).cards.values()].map(({ title }) => title).sort());
const stored = (): Promise<string[]> => sqlite(stage.server, "select title from Card order by title");
const sync = (page: Page): Promise<Client["sync"]> => page.evaluate(() => (window as unknown as InPage).client.sync);

/** Whether this device keeps an answer that has these words in it. */
const keeps = (page: Page, ...words: readonly string[]): Promise<boolean> =>
  page.evaluate(async (words) => {
    const storage = new window.probe.IndexedDbStorage(`corella/1/${location.origin}/ada`);
    const keys = JSON.parse((await storage.recall("answers")) ?? "[]") as string[];
    const answers = await Promise.all(keys.map((key) => storage.recall(`answer/${key}`)));
    storage.close();
    return words.every((word) => answers.some((answer) => answer?.includes(word) === true));
  }, words);

test("changes that wait are shown after a reload, still offline, and settle with the server's answers", async () => {
  const page = await openTab(await openContext(stage.browser, stage.server.url), stage.server.url);
  await begin(page, false);
  await page.evaluate(async () => {
    const { cards } = window as unknown as InPage;
    await cards.preload();
    await Promise.all(["a", "b", "c"].map((id) => cards.insert({ id, title: id, board: "main" }).isPersisted.promise));
  });
  expect(await stored()).toEqual(["a", "b", "c"]);
  await expect.poll(() => keeps(page, '"a"', '"b"', '"c"')).toBe(true);
  await page.evaluate(() => {
    const { client, cards } = window as unknown as InPage;
    client.setOffline(true);
    const changes = [
      cards.insert({ id: "d", title: "inserted", board: "main" }),
      cards.update("b", (draft) => {
        draft.title = "updated";
      }),
      cards.delete("c"),
    ];
    changes.forEach(({ isPersisted }) => isPersisted.promise.catch(() => {}));
  });
  await expect.poll(() => sync(page)).toMatchObject({ unsentMutations: 3, storage: { kind: "saved" } });
  await page.reload();
  await page.waitForFunction(() => document.title === "ready");
  await begin(page, true);
  await expect.poll(() => titles(page)).toEqual(["a", "inserted", "updated"]);
  expect(await stored()).toEqual(["a", "b", "c"]);
  expect(await sync(page)).toMatchObject({ connection: "offline" });

  await page.evaluate(() => (window as unknown as InPage).client.setOffline(false));
  await expect.poll(stored).toEqual(["a", "inserted", "updated"]);
  await expect.poll(() => sync(page)).toMatchObject({ unsentMutations: 0 });
  expect(await titles(page)).toEqual(["a", "inserted", "updated"]);
  // What somebody else writes now is not covered by what had waited.
  const answer = await fetch(`${stage.server.url}/api/entities/Card/b`, {
    method: "PATCH",
    headers: { authorization: `Bearer ${await stage.server.token("bob")}`, "content-type": "application/json" },
    body: JSON.stringify({ title: "by bob" }),
  });
  expect(answer.status).toBe(200);
  await expect.poll(() => titles(page)).toEqual(["a", "by bob", "inserted"]);
});

/** `@corella/client` in Chromium, against the server: what only a real browser has. */

import type { BrowserContext, Page } from "playwright-core";
import { describe, expect, test } from "vitest";

import { openContext, openTab } from "../support/probe.js";
import { slowWayTo } from "../support/slow.js";
import { sqlite } from "../support/sqlite.js";
import { onStage } from "../support/stage.js";
import { endedToken } from "../support/token.js";

const stage = onStage("open");

/** In the page: a client of this user, and the row that the test is about. */
async function begin(page: Page, user: string, id: string, tokens: readonly string[] = []): Promise<void> {
  await page.evaluate(
    async ([user, id, ...tokens]) => {
      const asked: (string | undefined)[] = [];
      const token = async (refused?: string): Promise<string> => {
        asked.push(refused);
        const given = tokens.shift();
        if (given !== undefined) {
          return given;
        }
        const answer = await fetch("/dev/token", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ user }) });
        return ((await answer.json()) as { token: string }).token;
      };
      const client = new window.probe.CorellaClient({ url: location.origin, user: user ?? "", token });
      const row = client.row("Task", id ?? "");
      Object.assign(window, { client, row, asked, rejections: [] });
      row.onRejected(({ code, lost }) => (window as unknown as { rejections: unknown[] }).rejections.push({ code, lost: lost.toJSON() }));
    },
    [user, id, ...tokens],
  );
}

type InPage = { readonly client: import("../../../web-client/packages/client/dist/index.js").CorellaClient; readonly row: import("../../../web-client/packages/client/dist/index.js").RowHandle };

const type = (page: Page, text: string): Promise<void> =>
  page.evaluate((text) => {
    const { row } = window as unknown as InPage;
    row.text("notes").push(text);
    row.doc.commit();
  }, text);

const look = (page: Page): Promise<{ notes: unknown; status: string; saved: boolean; connection: string; unsentRows: number }> =>
  page.evaluate(() => {
    const { client, row } = window as unknown as InPage;
    return { notes: row.get("notes"), status: row.status.kind, saved: row.saved, connection: client.status, unsentRows: client.sync.unsentRows };
  });

const stored = (id: string): Promise<string[]> => sqlite(stage.server, `select notes from Task where id = '${id}'`);

const context = (address = stage.server.url): Promise<BrowserContext> => openContext(stage.browser, address);

test("Chromium's IndexedDB keeps every promise of the storage port", async () => {
  const page = await openTab(await context(), stage.server.url);
  const failures = await page.evaluate(async () => {
    const { storageAcceptance, IndexedDbStorage } = window.probe;
    const failures: string[] = [];
    for (const [index, { name, run }] of storageAcceptance.entries()) {
      await run(() => new IndexedDbStorage(`acceptance-${index}`)).catch((error: unknown) => failures.push(`${name}: ${String(error)}`));
    }
    return failures;
  });
  expect(failures).toEqual([]);
});

test("what was written offline outlives the page, and is sent without being opened", async () => {
  const tab = await context();
  const page = await openTab(tab, stage.server.url);
  await begin(page, "ada", "left");
  await type(page, "online ");
  await expect.poll(() => look(page)).toMatchObject({ status: "synced", saved: true });
  await page.evaluate(() => (window as unknown as InPage).client.setOffline(true));
  await type(page, "offline");
  await expect.poll(() => look(page)).toMatchObject({ status: "offline", saved: true, unsentRows: 1 });
  expect(await stored("left")).toEqual(["online "]);
  await page.reload();
  await page.waitForFunction(() => document.title === "ready");
  await begin(page, "ada", "another");
  await expect.poll(() => stored("left")).toEqual(["online offline"]);
});

test("three tabs share one connection, and go on when the first and then the second closes", async () => {
  const connections = async (): Promise<number> => Number(/^corella_connections_total (\d+)/m.exec(await (await fetch(`${stage.server.url}/metrics`)).text())?.[1]);
  const before = await connections();
  const tabs = await context();
  const pages = [];
  for (let index = 0; index < 3; index += 1) {
    const page = await openTab(tabs, stage.server.url);
    await begin(page, "ada", "tabs");
    await expect.poll(async () => (await look(page)).status).toBe("synced");
    pages.push(page);
  }
  const [first, second, third] = pages as [Page, Page, Page];
  await Promise.all([type(first, "1"), type(second, "2"), type(third, "3")]);
  const letters = async (): Promise<string> => [...String((await look(third)).notes)].sort().join("");
  await expect.poll(letters).toBe("123");
  await expect.poll(() => look(third)).toMatchObject({ status: "synced" });
  expect((await connections()) - before).toBe(1);
  await first.close();
  await type(third, "4");
  await expect.poll(letters).toBe("1234");
  await expect.poll(() => look(third)).toMatchObject({ status: "synced", connection: "online" });
  expect((await connections()) - before).toBe(2);
  await second.close();
  await type(third, "5");
  await expect.poll(() => look(third)).toMatchObject({ status: "synced", connection: "online", unsentRows: 0 });
  expect([...((await stored("tabs"))[0] ?? "")].sort().join("")).toBe("12345");
});

test("another user of the browser sees nothing, and sends nothing of the first one's", async () => {
  const shared = await context();
  const page = await openTab(shared, stage.server.url);
  await begin(page, "ada", "hers");
  await page.evaluate(() => (window as unknown as InPage).client.setOffline(true));
  await type(page, "hers alone");
  await expect.poll(() => look(page)).toMatchObject({ saved: true });
  await page.reload();
  await page.waitForFunction(() => document.title === "ready");
  await begin(page, "bob", "his");
  await expect.poll(() => look(page)).toMatchObject({ status: "synced" });
  expect(await page.evaluate(async () => (await (window as unknown as InPage).client.localRows("Task")).map(({ id }) => id))).not.toContain("hers");
  expect(await stored("hers")).toEqual([]);
  await page.reload();
  await page.waitForFunction(() => document.title === "ready");
  await begin(page, "ada", "other");
  await expect.poll(() => stored("hers")).toEqual(["hers alone"]);
});

test("a token that has ended is asked for again, and nothing is lost", async () => {
  const page = await openTab(await context(), stage.server.url);
  await begin(page, "ada", "token", [await endedToken(stage.server, "ada")]);
  await type(page, "written with an ended token");
  await expect.poll(() => look(page)).toMatchObject({ status: "synced", connection: "online" });
  expect(await stored("token")).toEqual(["written with an ended token"]);
  const asked = await page.evaluate(() => (window as unknown as { asked: (string | undefined)[] }).asked.map((refused) => typeof refused));
  expect(asked.slice(0, 2)).toEqual(["undefined", "string"]);
});

test("a rejected edit is handed over and kept, and the row is the server's again", async () => {
  // What the server puts into a new row.
  const defaults = { position: 0, status: "open", urgent: false };
  const page = await openTab(await context(), stage.server.url);
  await begin(page, "ada", "rejected");
  await type(page, "good");
  await expect.poll(() => look(page)).toMatchObject({ status: "synced" });
  await expect.poll(() => page.evaluate(() => (window as unknown as InPage).row.fields.toJSON())).toEqual({ ...defaults, notes: "good" });
  await page.evaluate(() => (window as unknown as InPage).row.set("colour", "red"));
  await expect.poll(() => page.evaluate(() => (window as unknown as { rejections: unknown[] }).rejections)).toEqual([{ code: "unknown_field", lost: { row: { ...defaults, notes: "good", colour: "red" } } }]);
  await expect.poll(() => look(page)).toMatchObject({ notes: "good", status: "synced", saved: true });
  await page.reload();
  await page.waitForFunction(() => document.title === "ready");
  await begin(page, "ada", "rejected");
  await expect.poll(() => look(page)).toMatchObject({ notes: "good", status: "synced" });
  const kept = await page.evaluate(async () => (await (window as unknown as InPage).client.rejections()).map(({ code, work }) => [code, work.kind === "edits" && work.lost.toJSON()]));
  expect(kept).toEqual([["unknown_field", { row: { ...defaults, notes: "good", colour: "red" } }]]);
});

test("mutations made offline survive the page, and are made once", async () => {
  const page = await openTab(await context(), stage.server.url);
  await begin(page, "ada", "mutations");
  await page.evaluate(async () => {
    const { client } = window as unknown as InPage;
    client.setOffline(true);
    await Promise.all(
      Array.from({ length: 200 }, (_, index) => client.mutate({ entity: "Task", operation: "insert", id: `m${index}`, fields: { title: `Task ${index}` } }).saved),
    );
  });
  await page.reload();
  await page.waitForFunction(() => document.title === "ready");
  await begin(page, "ada", "mutations");
  await expect.poll(() => sqlite(stage.server, "select count(*), count(distinct title) from Task where id like 'm%' and title like 'Task %'")).toEqual(["200|200"]);
  await expect.poll(() => page.evaluate(() => (window as unknown as InPage).client.sync.unsentMutations)).toBe(0);
});

describe("storage without room", () => {
  test("is told, and what was written is sent all the same", async () => {
    const page = await openTab(await context(), stage.server.url);
    const session = await page.context().newCDPSession(page);
    // Before the first write: afterwards Chromium relies for a while on the room that it saw then.
    await session.send("Storage.overrideQuotaForOrigin", { origin: stage.server.url, quotaSize: 2_000_000 });
    await begin(page, "ada", "full");
    await type(page, "before ");
    await expect.poll(() => look(page)).toMatchObject({ status: "synced", saved: true });
    await page.evaluate(() => {
      const { row } = window as unknown as InPage;
      row.set("title", "x".repeat(5_000_000));
    });
    await expect.poll(() => page.evaluate(() => (window as unknown as InPage).client.sync.storage)).toMatchObject({ kind: "failing", code: "storage_full" });
    await expect.poll(() => look(page)).toMatchObject({ status: "synced", saved: false });
    expect(await sqlite(stage.server, "select length(title) from Task where id = 'full'")).toEqual(["5000000"]);
    await session.send("Storage.overrideQuotaForOrigin", { origin: stage.server.url });
    await expect.poll(() => look(page)).toMatchObject({ status: "synced", saved: true });
  });
});

test("on a slow network typing is not held up, and all of it arrives", async () => {
  const address = await slowWayTo(stage.server);
  const page = await openTab(await context(address), address);
  await begin(page, "ada", "slow");
  await expect.poll(() => look(page)).toMatchObject({ status: "synced" });
  const letters = "the quick brown fox jumps over the lazy dog. ".repeat(20);
  for (let at = 0; at < letters.length; at += 9) {
    await type(page, letters.slice(at, at + 9));
  }
  expect(await look(page)).toMatchObject({ notes: letters });
  await expect.poll(() => look(page)).toMatchObject({ status: "synced" });
  expect(await stored("slow")).toEqual([letters]);
});

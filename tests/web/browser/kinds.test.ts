/** Two people edit fields of many kinds, one of them offline and through a reload: nothing of either is lost. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";

import { openContext, openTab } from "../support/probe.js";
import { sqlite } from "../support/sqlite.js";
import { onStage } from "../support/stage.js";

const stage = onStage("kinds");

type InPage = { readonly client: import("../../../web-client/packages/client/dist/index.js").CorellaClient; readonly row: import("../../../web-client/packages/client/dist/index.js").RowHandle };

const begin = (page: Page, user: string): Promise<void> =>
  page.evaluate(async (user) => {
    const token = async (): Promise<string> => {
      const answer = await fetch("/dev/token", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ user }) });
      return ((await answer.json()) as { token: string }).token;
    };
    const client = new window.probe.CorellaClient({ url: location.origin, user, token });
    const row = client.row("Item", "shared");
    await row.ready;
    Object.assign(window, { client, row });
  }, user);

const look = (page: Page): Promise<{ status: string; saved: boolean; unsentRows: number; fields: unknown }> =>
  page.evaluate(() => {
    const { client, row } = window as unknown as InPage;
    const names = ["title", "summary", "likes", "tags", "steps", "settings"];
    return { status: row.status.kind, saved: row.saved, unsentRows: client.sync.unsentRows, fields: Object.fromEntries(names.map((name) => [name, name === "likes" ? row.count(name) : row.get(name)])) };
  });

test("plain, text, counter, list, movable list and map", async () => {
  const token = await stage.server.token("ada");
  const created = await fetch(`${stage.server.url}/api/entities/Item`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ id: "shared", title: "Before", summary: "middle", likes: 1, tags: ["a"], steps: ["one", "two", "three"], settings: { color: "red" } }),
  });
  expect(created.status, await created.clone().text()).toBe(201);
  const [hers, his] = await Promise.all(["ada", "bob"].map(async (user) => {
    const page = await openTab(await openContext(stage.browser, stage.server.url), stage.server.url);
    await begin(page, user);
    return page;
  })) as [Page, Page];

  await hers.evaluate(() => {
    const { client, row } = window as unknown as InPage;
    client.setOffline(true);
    row.set("title", "By Ada");
    row.text("summary").insert(0, "start ");
    row.increment("likes", 10);
    row.list("tags").push("hers");
    row.movableList("steps").move(2, 0);
    row.map("settings").set("size", 3);
    row.doc.commit();
  });
  await his.evaluate(() => {
    const { row } = window as unknown as InPage;
    row.text("summary").push(" end");
    row.increment("likes", 100);
    row.list("tags").push("his");
    row.movableList("steps").set(2, "THREE");
    row.map("settings").set("color", "blue");
    row.doc.commit();
  });
  await expect.poll(async () => (await look(his)).status).toBe("synced");
  await expect.poll(() => look(hers)).toMatchObject({ status: "offline", saved: true, unsentRows: 1 });
  await hers.reload();
  await hers.waitForFunction(() => document.title === "ready");
  await begin(hers, "ada");

  const merged = { title: "By Ada", summary: "start middle end", likes: 111, steps: ["THREE", "one", "two"], settings: { color: "blue", size: 3 } };
  for (const page of [hers, his]) {
    await expect.poll(() => look(page)).toMatchObject({ status: "synced", unsentRows: 0, fields: merged });
  }
  const tags = ((await look(hers)).fields as { tags: string[] }).tags;
  expect([tags[0], ...[...tags.slice(1)].sort()]).toEqual(["a", "hers", "his"]);
  expect(((await look(his)).fields as { tags: string[] }).tags).toEqual(tags);
  const [line] = await sqlite(stage.server, "select json_array(title, summary, likes, json(tags), json(steps), json(settings)) from Item");
  expect(JSON.parse(line ?? "null")).toEqual([merged.title, merged.summary, merged.likes, tags, merged.steps, merged.settings]);
});

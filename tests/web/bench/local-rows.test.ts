/** How long it takes from opening a client to a painted list of 5,000 rows that the device keeps. A figure, not a verdict. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";

import { openContext, openTab } from "../support/probe.js";
import { onStage } from "../support/stage.js";

const rowCount = 5_000;
const rounds = 9;

const stage = onStage("open");

/** Keeps so many tasks on the device, as a client that had them open would: a first update, and an edit. */
const fill = (page: Page): Promise<void> =>
  page.evaluate(async (rowCount) => {
    const { CorellaClient, IndexedDbStorage } = window.probe;
    const client = new CorellaClient({ url: location.origin, user: "ada", token: () => "none" });
    client.setOffline(true);
    for (let index = 0; index < rowCount; index += 1) {
      const row = client.row("Task", `t${String(index).padStart(5, "0")}`);
      const fields = { title: `Task ${index}`, status: index % 3 === 0 ? "done" : "open", position: index, urgent: index % 7 === 0, estimate: index % 13, due: "2026-11-21T08:00:00Z" };
      for (const [name, value] of Object.entries(fields)) {
        row.fields.set(name, value);
      }
      row.text("notes").insert(0, "What is to be done, in a sentence or two, as people write them into such a field. ".repeat(2));
      row.doc.commit();
      row.close();
    }
    // What lists show is made when it is quiet; nobody is told when that is done, so the storage is asked.
    const storage = new IndexedDbStorage(`corella/1/${location.origin}/ada`);
    while ((await storage.rows()).length < rowCount || (await storage.unviewedRows()).length > 0) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    storage.close();
    await client.close();
  }, rowCount);

interface Time {
  /** All rows are there, as `localRows` gives them. */
  readonly read: number;
  /** The frame behind the one that shows the first screen of the list. */
  readonly painted: number;
  /** The same with the whole list on the page. */
  readonly whole: number;
  readonly count: number;
}

/** Milliseconds since `new CorellaClient`. */
const open = (page: Page): Promise<Time> =>
  page.evaluate(async () => {
    const start = performance.now();
    const sinceStart = (): number => performance.now() - start;
    const frame = (): Promise<unknown> => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const client = new window.probe.CorellaClient({ url: location.origin, user: "ada", token: () => "none" });
    client.setOffline(true);
    const rows = await client.localRows("Task");
    const read = sinceStart();
    const list = document.createElement("ul");
    const show = (shown: typeof rows): void =>
      list.append(
        ...shown.map(({ fields }) => {
          const item = document.createElement("li");
          item.textContent = `${String(fields["title"])}, ${String(fields["status"])}`;
          return item;
        }),
      );
    show(rows.slice(0, 100));
    document.body.replaceChildren(list);
    await frame();
    const painted = sinceStart();
    show(rows.slice(100));
    await frame();
    const whole = sinceStart();
    await client.close();
    return { read, painted, whole, count: list.childElementCount };
  });

const median = (values: readonly number[]): number => [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;

test(`${rowCount} rows from IndexedDB to the first paint of their list`, async () => {
  const context = await openContext(stage.browser, stage.server.url);
  const filling = await openTab(context, stage.server.url);
  await fill(filling);
  await filling.close();
  const times: Time[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const page = await openTab(context, stage.server.url);
    const time = await open(page);
    expect(time.count).toBe(rowCount);
    times.push(time);
    await page.close();
  }
  const shown = (pick: (time: Time) => number): string => `${Math.round(median(times.map(pick)))} ms (best ${Math.round(Math.min(...times.map(pick)))})`;
  console.info(`${rowCount} rows: read ${shown(({ read }) => read)}, first screen painted ${shown(({ painted }) => painted)}, all painted ${shown(({ whole }) => whole)}; median of ${rounds} pages`);
}, 300_000);

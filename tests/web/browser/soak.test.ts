/**
 * Five pages that write what they like and are offline now and then: at the end all of them, and the table, say the same.
 *
 * A few seconds in an ordinary run; `CORELLA_SOAK_SECONDS=120` for the long one. The seed is printed, and `CORELLA_SOAK_SEED`
 * repeats it.
 */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";

import { openContext, openTab } from "../support/probe.js";
import { sqlite } from "../support/sqlite.js";
import { onStage } from "../support/stage.js";

const seconds = Number(process.env["CORELLA_SOAK_SECONDS"] ?? 6);
const seed = Number(process.env["CORELLA_SOAK_SEED"] ?? Math.floor(Math.random() * 1_000_000));
const pages = 5;
const rows = ["r0", "r1", "r2", "r3"];

const stage = onStage("open");

type InPage = {
  readonly client: import("../../../web-client/packages/client/dist/index.js").CorellaClient;
  readonly answer: import("../../../web-client/packages/client/dist/live/index.js").LiveQuery;
  readonly open: ReadonlyMap<string, import("../../../web-client/packages/client/dist/index.js").RowHandle>;
};

/** Writes until the time is over; resolves with how many edits were made and how often the page was offline. */
const write = (page: Page, own: number): Promise<readonly [number, number]> =>
  page.evaluate(
    async ([own, seconds, rows]) => {
      // Mulberry32: the same numbers for the same seed.
      let state = own as number;
      const random = (): number => {
        state = (state + 0x6d2b79f5) | 0;
        let mixed = Math.imul(state ^ (state >>> 15), state | 1);
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
      };
      const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item;
      const { client, open } = window as unknown as InPage;
      let [edits, absences] = [0, 0];
      const end = performance.now() + (seconds as number) * 1000;
      while (performance.now() < end) {
        const row = open.get(pick(rows as string[]));
        const notes = row?.text("notes");
        if (row !== undefined && notes !== undefined) {
          const kind = random();
          if (kind < 0.5) {
            notes.insert(Math.floor(random() * (notes.length + 1)), pick(["a", "word ", "ß", "two words ", "\n"]));
            row.doc.commit();
          } else if (kind < 0.65 && notes.length > 0) {
            const at = Math.floor(random() * notes.length);
            notes.delete(at, Math.min(notes.length - at, 1 + Math.floor(random() * 4)));
            row.doc.commit();
          } else if (kind < 0.85) {
            row.set(pick(["title", "status"]), pick(["open", "doing", "done"]));
          } else {
            client.mutate({ entity: "Task", operation: "patch", id: row.id, fields: { estimate: Math.floor(random() * 100) } });
          }
          edits += 1;
        }
        if (random() < 0.03) {
          absences += 1;
          client.setOffline(true);
          setTimeout(() => client.setOffline(false), random() * 1_000);
        }
        // Pages type at a pace of their own: the pause is a part of the load, nothing is waited for.
        await new Promise((resolve) => setTimeout(resolve, random() * 60));
      }
      client.setOffline(false);
      return [edits, absences] as const;
    },
    [own, seconds, rows] as const,
  );

test(
  `${pages} pages, ${seconds} seconds, seed ${seed}`,
  async () => {
    const token = await stage.server.token("ada");
    for (const id of rows) {
      await fetch(`${stage.server.url}/api/entities/Task`, { method: "POST", headers: { "content-type": "application/json", authorization: `Bearer ${token}` }, body: JSON.stringify({ id, title: "open" }) });
    }
    const open = await Promise.all(
      Array.from({ length: pages }, async (_, index) => {
        const page = await openTab(await openContext(stage.browser, stage.server.url), stage.server.url);
        await page.evaluate(
          async ([user, rows]) => {
            const { CorellaClient, live } = window.probe;
            const token = async (): Promise<string> => {
              const answer = await fetch("/dev/token", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ user }) });
              return ((await answer.json()) as { token: string }).token;
            };
            const client = new CorellaClient({ url: location.origin, user: user as string, token });
            const open = new Map((rows as string[]).map((id) => [id, client.row("Task", id)]));
            const answer = live(client, { from: "Task", orderBy: [{ title: "asc" }, { id: "asc" }] });
            await Promise.all([answer.ready, ...[...open.values()].map((row) => row.ready)]);
            Object.assign(window, { client, open, answer });
          },
          [`user-${index}`, rows] as const,
        );
        return page;
      }),
    );
    const work = await Promise.all(open.map((page, index) => write(page, seed * pages + index)));
    console.info(`seed ${seed}: ${work.map(([edits, absences]) => `${edits} edits, ${absences} times offline`).join("; ")}`);

    const look = (page: Page): Promise<{ isDone: boolean; documents: string; list: string }> =>
      page.evaluate(() => {
        const { client, open, answer } = window as unknown as InPage;
        const { unsentMutations, unsentRows } = client.sync;
        const isDone = unsentMutations === 0 && unsentRows === 0 && answer.status.kind === "live" && [...open.values()].every((row) => row.status.kind === "synced");
        return { isDone, documents: JSON.stringify([...open].map(([id, row]) => [id, row.get("title"), row.get("status"), row.get("estimate") ?? null, row.get("notes") ?? null])), list: JSON.stringify(answer.rows.map((row) => [row.id, row["title"], row["status"], row["estimate"], row["notes"]])) };
      });
    const byId = (text: string): string => JSON.stringify((JSON.parse(text) as [string, ...unknown[]][]).sort(([one], [other]) => (one < other ? -1 : 1)));
    // A long text comes to lists and to the table a moment after its document.
    await expect
      .poll(async () => {
        const seen = await Promise.all(open.map(look));
        return [seen.every(({ isDone }) => isDone), ...[new Set(seen.map(({ documents }) => documents)), new Set(seen.map(({ list }) => list)), new Set(seen.flatMap(({ documents, list }) => [byId(documents), byId(list)]))].map(({ size }) => size)];
      })
      .toEqual([true, 1, 1, 1]);
    const { documents } = await look(open[0] as Page);
    await expect
      .poll(async () => byId((await sqlite(stage.server, "select json_group_array(json_array(id, title, status, estimate, notes)) from Task")).join("\n")))
      .toBe(byId(documents));
    expect(work.every(([edits]) => edits > 0)).toBe(true);
  },
  (seconds + 90) * 1000,
);

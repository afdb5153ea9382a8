/** The server is killed under two pages that write, and comes back. */

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { launch, sameText, Visitor } from "../support/browser.js";
import { Server } from "../support/server.js";
import { sqlite } from "../support/sqlite.js";

let server: Server;
let browser: Browser;
beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start("notes"), launch()]);
});
afterAll(async () => {
  await browser.close();
  await server.stop();
});

test("what was synced is there, and both pages come back by themselves and go on", async () => {
  const ada = await Visitor.arrive(browser, server, "ada");
  const bob = await Visitor.arrive(browser, server, "bob");
  const id = await ada.makeNote("Killed");
  await bob.openNote(id);
  await ada.type("Durable. ");
  await sameText(ada, bob);
  ada.expectServerToBeAway();
  bob.expectServerToBeAway();

  // In the middle of writes.
  const typing = Promise.all([ada.type("Ada writes on while the server goes away. "), bob.type("Bob too. ")]);
  await expect.poll(async () => (await ada.body()).length).toBeGreaterThan("Durable. ".length + 10);
  await server.end("SIGKILL");
  await typing;
  await Promise.all([ada.status("connecting"), bob.status("connecting")]);
  await ada.type("And later. ");

  // At another address first, where no page can mend what the server might have lost.
  await server.restart("other port");
  expect(await sqlite(server, "select title, body like '%Durable. %' from Note")).toEqual(["Killed|1"]);
  await server.end("SIGTERM");

  await server.restart();
  const text = await sameText(ada, bob);
  const letters = (words: string): string => [...words].sort().join("");
  expect(letters(text)).toBe(letters("Durable. Ada writes on while the server goes away. Bob too. And later. "));
  await bob.type("It goes on.");
  expect(await sameText(ada, bob)).toContain("It goes on.");
  await expect.poll(() => ada.cursors()).toEqual(["bob"]);
  expect(await sqlite(server, "select body from Note")).toEqual([await ada.body()]);
  // A page that is opened now shows the same.
  const late = await Visitor.arrive(browser, server, "late");
  await late.openNote(id);
  await sameText(ada, late);
});

test("a restart in order is no more than a pause", async () => {
  const ada = await Visitor.arrive(browser, server, "ada");
  const id = await ada.makeNote("Restarted");
  await ada.type("Before. ");
  await ada.status("synced");
  ada.expectServerToBeAway();
  await server.end("SIGTERM");
  await ada.status("connecting");
  await ada.type("Meanwhile. ");
  await server.restart();
  await ada.status("synced");
  expect(await sqlite(server, `select body from Note where id = '${id}'`)).toEqual(["Before. Meanwhile. "]);
});

/** The server is killed under two pages that write, and comes back. */

import { expect, test } from "vitest";

import { sameText, Visitor } from "../support/browser.js";
import { sqlite } from "../support/sqlite.js";
import { onStage } from "../support/stage.js";

const stage = onStage("notes");

test("what was synced is there, and both pages come back by themselves and go on", async () => {
  const ada = await Visitor.arrive(stage.browser, stage.server, "ada");
  const bob = await Visitor.arrive(stage.browser, stage.server, "bob");
  const id = await ada.makeNote("Killed");
  await bob.openNote(id);
  await ada.type("Durable. ");
  await sameText(ada, bob);
  ada.expectServerToBeAway();
  bob.expectServerToBeAway();

  // In the middle of writes.
  const typing = Promise.all([ada.type("Ada writes on while the server goes away. "), bob.type("Bob too. ")]);
  await expect.poll(async () => (await ada.body()).length).toBeGreaterThan("Durable. ".length + 10);
  await stage.server.end("SIGKILL");
  await typing;
  await Promise.all([ada.status("connecting"), bob.status("connecting")]);
  await ada.type("And later. ");

  // At another address first, where no page can mend what the server might have lost.
  await stage.server.restart("other port");
  expect(await sqlite(stage.server, "select title, body like '%Durable. %' from Note")).toEqual(["Killed|1"]);
  await stage.server.end("SIGTERM");

  await stage.server.restart();
  const text = await sameText(ada, bob);
  const letters = (words: string): string => [...words].sort().join("");
  expect(letters(text)).toBe(letters("Durable. Ada writes on while the server goes away. Bob too. And later. "));
  await bob.type("It goes on.");
  expect(await sameText(ada, bob)).toContain("It goes on.");
  await expect.poll(() => ada.cursors()).toEqual(["bob"]);
  expect(await sqlite(stage.server, "select body from Note")).toEqual([await ada.body()]);
  // A page that is opened now shows the same.
  const late = await Visitor.arrive(stage.browser, stage.server, "late");
  await late.openNote(id);
  await sameText(ada, late);
});

test("a restart in order is no more than a pause", async () => {
  const ada = await Visitor.arrive(stage.browser, stage.server, "ada");
  const id = await ada.makeNote("Restarted");
  await ada.type("Before. ");
  await ada.status("synced");
  ada.expectServerToBeAway();
  await stage.server.end("SIGTERM");
  await ada.status("connecting");
  await ada.type("Meanwhile. ");
  await stage.server.restart();
  await ada.status("synced");
  expect(await sqlite(stage.server, `select body from Note where id = '${id}'`)).toEqual(["Before. Meanwhile. "]);
});

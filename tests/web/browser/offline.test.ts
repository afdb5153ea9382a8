/** The notes page without its server: it opens, shows what the device has, takes edits, and hands them in later. */

import { expect, test } from "vitest";

import { sameText, Visitor } from "../support/browser.js";
import { sqlite } from "../support/sqlite.js";
import { onStage } from "../support/stage.js";

const stage = onStage("notes");

const text = (visitor: Visitor): Promise<string | null> => visitor.find("status").textContent();

test("a page that is loaded again without a server shows the notes, and edits outlive the page", async () => {
  const ada = await Visitor.arrive(stage.browser, stage.server, "ada");
  const bob = await Visitor.arrive(stage.browser, stage.server, "bob");
  const other = await ada.makeNote("Never opened by Ada again");
  await ada.type("Body of the other note.");
  await ada.status("synced");
  const id = await ada.makeNote("Kept");
  await ada.type("Online. ");
  await bob.openNote(id);
  await sameText(ada, bob);
  await ada.keptWhole();
  await ada.saved();
  ada.expectServerToBeAway();
  bob.expectServerToBeAway();
  await stage.server.end("SIGKILL");
  await ada.status("connecting");

  await ada.page.reload();
  await ada.find("editor").waitFor();
  expect(await ada.body()).toBe("Online. ");
  await expect.poll(() => ada.entry(other).textContent()).toContain("Body of the other note.");
  await expect.poll(() => ada.entry(id).textContent()).toContain("Kept");
  await ada.move("ControlOrMeta+End");
  await ada.type("Offline. ");
  await ada.find("title-input").fill("Kept and changed");
  await expect.poll(() => text(ada)).toContain("1 unsent");
  await ada.saved();

  await ada.page.reload();
  await ada.find("editor").waitFor();
  expect(await ada.body()).toBe("Online. Offline. ");
  expect(await ada.find("title-input").inputValue()).toBe("Kept and changed");
  // A note that is not open any more is sent as well.
  await ada.find("new-note").click();
  await expect.poll(() => ada.find("title-input").inputValue()).toBe("");
  await ada.find("title-input").fill("Made offline");
  await expect.poll(() => text(ada)).toContain("2 unsent");

  await stage.server.restart();
  await Promise.all([ada.status("synced"), bob.status("synced")]);
  await expect.poll(() => bob.body()).toBe("Online. Offline. ");
  await expect.poll(() => sqlite(stage.server, "select title, body from Note order by title")).toEqual([
    "Kept and changed|Online. Offline. ",
    "Made offline|",
    "Never opened by Ada again|Body of the other note.",
  ]);
  await expect.poll(() => text(ada)).toBe("Synced");
});

test("who signs in next on the same device sees nothing of what the first one left unsent", async () => {
  const ada = await Visitor.arrive(stage.browser, stage.server, "ada");
  const id = await ada.makeNote("Shared title");
  await ada.type("Sent. ");
  await ada.status("synced");
  await ada.find("offline-switch").click();
  await ada.status("offline");
  await ada.type("Unsent secret.");
  await expect.poll(() => text(ada)).toContain("1 unsent");
  await ada.saved();

  await ada.find("user-name").click();
  await ada.find("sign-out").click();
  await ada.page.getByRole("textbox").fill("bob");
  await ada.press("Enter");
  await ada.status("synced");
  expect(await ada.body()).toBe("Sent. ");
  expect(await sqlite(stage.server, `select body from Note where id = '${id}'`)).toEqual(["Sent. "]);

  await ada.find("user-name").click();
  await ada.find("sign-out").click();
  await ada.page.getByRole("textbox").fill("ada");
  await ada.press("Enter");
  await ada.status("synced");
  await expect.poll(() => ada.body()).toBe("Sent. Unsent secret.");
  await expect.poll(() => sqlite(stage.server, `select body from Note where id = '${id}'`)).toEqual(["Sent. Unsent secret."]);
});

test("three windows of one person share everything, and go on when the first closes", async () => {
  const first = await Visitor.arrive(stage.browser, stage.server, "eve");
  const id = await first.makeNote("Three windows");
  const second = await first.another(stage.server);
  const third = await first.another(stage.server);
  await second.openNote(id);
  await third.openNote(id);
  await third.type("From the third. ");
  await expect.poll(() => second.body()).toBe("From the third. ");
  await first.page.close();
  await third.type("Still here. ");
  await sameText(second, third);
  await second.page.close();
  await third.type("Alone.");
  await third.status("synced");
  await expect.poll(() => sqlite(stage.server, `select length(body) from Note where id = '${id}'`)).toEqual([String("From the third. Still here. Alone.".length)]);
});

/** Two people in one note. */

import { expect, test } from "vitest";

import { sameText, Visitor } from "../support/browser.js";
import { sqlite } from "../support/sqlite.js";
import { onStage } from "../support/stage.js";

const stage = onStage("notes");

interface Pair {
  readonly ada: Visitor;
  readonly bob: Visitor;
  readonly id: string;
}

/** Ada has made a note, Bob found it in his list, and both have it open. */
async function pair(title: string): Promise<Pair> {
  const [ada, bob] = await Promise.all([Visitor.arrive(stage.browser, stage.server, "ada"), Visitor.arrive(stage.browser, stage.server, "bob")]);
  const id = await ada.makeNote(title);
  await bob.openNote(id);
  return { ada, bob, id };
}

const only = (text: string, letters: RegExp): string => text.replace(letters, "");
const lower = /[^a-z]/g;
const upper = /[^A-Z]/g;

test("both type at once, from the first letter of a note on, and then in two places", async () => {
  const { ada, bob } = await pair("At once");
  const [adas, bobs] = ["thequickbrownfoxjumpsoverthelazydog", "PACKMYBOXWITHFIVEDOZENLIQUORJUGS"];
  let text = "";
  // The first letters of an empty note are the hardest: several notes, so that a mishap does not hide.
  for (let note = 2; note <= 4; note += 1) {
    await Promise.all([ada.type(adas), bob.type(bobs)]);
    text = await sameText(ada, bob);
    expect([only(text, lower), only(text, upper)], "each one's letters, in their order").toEqual([adas, bobs]);
    if (note < 4) {
      await bob.openNote(await ada.makeNote(`At once, note ${note}`));
    }
  }

  // Bob goes on in a paragraph of his own, Ada before everything.
  await bob.move("ControlOrMeta+End");
  await bob.press("Enter");
  await ada.move("ControlOrMeta+Home");
  await Promise.all([ada.type(adas), bob.type(bobs)]);
  expect(await sameText(ada, bob)).toBe(`${adas}${text}\n${bobs}`);
});

test("each sees where the other is, by name", async () => {
  const { ada, bob } = await pair("Cursors");
  await ada.type("Some words to stand in. ");
  await sameText(ada, bob);
  await bob.move("ControlOrMeta+End");
  await expect.poll(() => ada.cursors()).toEqual(["bob"]);
  await expect.poll(() => bob.cursors()).toEqual(["ada"]);
  await expect.poll(() => ada.find("people").getAttribute("aria-label")).toBe("Also here: bob");
  await bob.move("Shift+Home");
  await expect.poll(() => ada.page.locator(".remote-selection").count()).toBeGreaterThan(0);
  // Who closes the page is gone for the others.
  await bob.page.close();
  await expect.poll(() => ada.cursors()).toEqual([]);
  await expect.poll(() => ada.find("people").getAttribute("aria-label")).toBe("Nobody else is here");
});

test("title, pin and color reach the other page, its list, and the table", async () => {
  const { ada, bob, id } = await pair("Before");
  await bob.find("title-input").fill("After");
  await expect.poll(() => ada.find("title-input").inputValue()).toBe("After");
  await ada.find("pin-toggle").click();
  await expect.poll(() => bob.find("pin-toggle").getAttribute("aria-pressed")).toBe("true");
  await bob.page.getByRole("radio", { name: "Blue" }).check();
  await expect.poll(() => ada.page.getByRole("radio", { name: "Blue" }).isChecked()).toBe(true);
  await expect.poll(() => ada.entry(id).textContent()).toContain("After");
  await expect.poll(() => bob.find("note-item").first().getAttribute("data-note")).toBe(id);
  await Promise.all([ada.status("synced"), bob.status("synced")]);
  expect(await sqlite(stage.server, `select title, pinned, color, author from Note where id = '${id}'`)).toEqual(["After|1|blue|ada"]);
});

test("the table shows what the pages show", async () => {
  const { ada, bob } = await pair("In the table");
  await ada.find("pin-toggle").click();
  await ada.type("Body text");
  await sameText(ada, bob);
  const onThePage = async (): Promise<string[]> => {
    const entries = await bob.find("note-item").all();
    const lines = entries.map(async (entry) => `${await entry.locator(".item-title").textContent()}|${await entry.locator(".item-pin").count()}`);
    return (await Promise.all(lines)).sort();
  };
  const inTheTable = (await sqlite(stage.server, "select title, pinned from Note")).sort();
  await expect.poll(onThePage).toEqual(inTheTable);
  expect(await sqlite(stage.server, "select body from Note where title = 'In the table'")).toEqual(["Body text"]);
});

test("one works offline, both write, and afterwards both have everything", async () => {
  const { ada, bob } = await pair("Apart");
  await ada.type("Together. ");
  await sameText(ada, bob);

  await ada.find("offline-switch").click();
  await ada.status("offline");
  await expect.poll(() => bob.cursors()).toEqual([]);
  await ada.type("Ada alone. ");
  await ada.press("Enter");
  await ada.type("A paragraph of hers.");
  await ada.find("title-input").fill("Apart, by Ada");
  await bob.move("ControlOrMeta+End");
  await bob.type("Bob meanwhile. ");
  await bob.find("pin-toggle").click();
  await bob.status("synced");
  expect(await bob.body()).toBe("Together. Bob meanwhile. ");
  expect(await ada.body()).toBe("Together. Ada alone. \nA paragraph of hers.");

  await ada.find("offline-switch").click();
  const text = await sameText(ada, bob);
  for (const words of ["Together. ", "Ada alone. ", "A paragraph of hers.", "Bob meanwhile. "]) {
    expect(text).toContain(words);
  }
  await expect.poll(() => bob.find("title-input").inputValue()).toBe("Apart, by Ada");
  await expect.poll(() => ada.find("pin-toggle").getAttribute("aria-pressed")).toBe("true");
});

test("a deleted note is gone for both, and undone it is back with its text", async () => {
  const { ada, bob, id } = await pair("Deleted");
  await ada.type("Not lost.");
  await sameText(ada, bob);
  await ada.find("delete-note").click();
  await bob.find("restore-note").waitFor();
  await expect.poll(() => bob.entry(id).count()).toBe(0);
  await expect.poll(() => ada.entry(id).count()).toBe(0);
  expect(await sqlite(stage.server, `select count(*) from Note where id = '${id}'`)).toEqual(["0"]);

  await ada.find("notice-action").click();
  await ada.find("editor").waitFor();
  await bob.find("editor").waitFor();
  expect(await sameText(ada, bob)).toBe("Not lost.");
  await ada.type("Still here. ");
  expect(await sameText(ada, bob)).toContain("Still here. ");
  await expect.poll(() => bob.entry(id).count()).toBe(1);
});

test("formatting, lists and undo reach the other page", async () => {
  const { ada, bob } = await pair("Formatted");
  await ada.type("# Plan");
  await ada.press("Enter");
  await ada.type("- first");
  await ada.press("Enter");
  await ada.type("second");
  await ada.press("Enter", "Enter");
  await ada.press("ControlOrMeta+b");
  await ada.type("bold");
  await sameText(ada, bob);
  const editor = bob.find("editor");
  await expect.poll(() => editor.locator("h1").textContent()).toBe("Plan");
  await expect.poll(() => editor.locator("ul > li").allTextContents()).toEqual(["first", "second"]);
  await expect.poll(() => editor.locator("strong").textContent()).toBe("bold");
  // Undo takes back one's own work and leaves the other's.
  await bob.move("ControlOrMeta+Home");
  await bob.type("Bob's ");
  await sameText(ada, bob);
  await bob.move("ControlOrMeta+z");
  expect(await sameText(ada, bob)).toBe("Plan\nfirstsecond\nbold");
});

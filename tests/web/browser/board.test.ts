/** The board: several people, several devices, by mouse and by keys. */

import { describe, expect, test } from "vitest";

import { expectAccessible } from "../support/axe.js";
import { type Looks, Visitor } from "../support/browser.js";
import { sqlite } from "../support/sqlite.js";
import { onStage } from "../support/stage.js";

const stage = onStage("board");

const arrive = async (name: string, looks: Looks = {}): Promise<Visitor> => {
  const visitor = await Visitor.arrive(stage.browser, stage.server, name, looks, "board/index.html");
  await visitor.page.locator("[data-column=done]").waitFor();
  return visitor;
};

const column = (visitor: Visitor, id: string) => visitor.page.locator(`[data-column="${id}"]`);
const titles = (visitor: Visitor, id: string): Promise<string[]> => column(visitor, id).locator(".card-title").allTextContents();
const count = (visitor: Visitor, id: string): Promise<string | null> => column(visitor, id).getByTestId("count").textContent();
const card = (visitor: Visitor, title: string) => visitor.page.getByTestId("card").filter({ hasText: title });

async function add(visitor: Visitor, id: string, ...names: readonly string[]): Promise<void> {
  for (const name of names) {
    await column(visitor, id).getByTestId("add-card").fill(name);
    await visitor.press("Enter");
  }
}

test("two people who open the board at once find the same columns, once", async () => {
  const [ada, bob] = await Promise.all([arrive("ada"), arrive("bob")]);
  await Promise.all([ada.status("synced"), bob.status("synced")]);
  for (const visitor of [ada, bob]) {
    await expect.poll(() => visitor.page.locator(".column-title").evaluateAll((inputs) => inputs.map((input) => (input as HTMLInputElement).value))).toEqual(["To do", "Doing", "Done"]);
  }
  await expect.poll(() => ada.find("people").getAttribute("aria-label")).toBe("Also here: bob");
});

test("cards, their order and the counts reach the other page and the table", async () => {
  const [ada, bob] = await Promise.all([arrive("ada"), arrive("bob")]);
  await add(ada, "to-do", "Bread", "Coffee", "Plants");
  await expect.poll(() => titles(bob, "to-do")).toEqual(["Bread", "Coffee", "Plants"]);
  await expect.poll(() => count(bob, "to-do")).toBe("3");
  await card(bob, "Bread").dragTo(column(bob, "doing"));
  await expect.poll(() => titles(ada, "doing")).toEqual(["Bread"]);
  await expect.poll(async () => [await count(ada, "to-do"), await count(ada, "doing")]).toEqual(["2", "1"]);
  await card(bob, "Plants").dragTo(card(bob, "Coffee"), { targetPosition: { x: 40, y: 4 } });
  await expect.poll(() => titles(ada, "to-do")).toEqual(["Plants", "Coffee"]);
  await expect.poll(() => sqlite(stage.server, "select title, \"column\", author from Card order by title")).toEqual(["Bread|doing|ada", "Coffee|to-do|ada", "Plants|to-do|ada"]);

  // The same by keys, and back.
  await card(bob, "Coffee").focus();
  await bob.press("Space", "ArrowUp");
  await expect.poll(() => titles(ada, "to-do")).toEqual(["Coffee", "Plants"]);
  await bob.press("ArrowRight", "ArrowRight");
  await expect.poll(() => titles(ada, "done")).toEqual(["Coffee"]);
  expect(await bob.find("said").textContent()).toBe("Done, place 1.");
  expect(await bob.page.evaluate(() => document.activeElement?.textContent)).toBe("Coffee");
  await bob.press("Escape");
  await expect.poll(() => titles(ada, "done")).toEqual([]);
  await expect.poll(() => titles(bob, "to-do")).toEqual(["Plants", "Coffee"]);
  await Promise.all([ada, bob].map((visitor) => expectAccessible(visitor.page)));
});

test("what is arranged offline is there for everybody afterwards, also after a reload", async () => {
  const [ada, bob] = await Promise.all([arrive("ada"), arrive("bob")]);
  await add(bob, "doing", "Shared");
  await expect.poll(() => titles(ada, "doing")).toContain("Shared");
  await ada.status("synced");
  await ada.find("offline-switch").click();
  await ada.status("offline");
  await add(ada, "done", "Made offline");
  await card(ada, "Shared").dragTo(column(ada, "done"));
  await expect.poll(() => titles(ada, "done")).toContain("Shared");
  await add(bob, "done", "Made meanwhile");
  await expect.poll(() => ada.find("status").textContent()).toContain("unsent");
  expect(await titles(bob, "done")).toEqual(["Made meanwhile"]);
  await ada.saved();
  await ada.page.reload();
  for (const visitor of [ada, bob]) {
    await expect.poll(async () => [...(await titles(visitor, "done"))].sort()).toEqual(["Made meanwhile", "Made offline", "Shared"]);
  }
  await ada.status("synced");
  expect(await titles(ada, "done")).toEqual(await titles(bob, "done"));
});

test("a card is written by two people at once, deleted and brought back", async () => {
  const [ada, bob] = await Promise.all([arrive("ada"), arrive("bob")]);
  await add(ada, "to-do", "Open me");
  await card(ada, "Open me").click();
  await card(bob, "Open me").click();
  const notes = (visitor: Visitor): Promise<string> => visitor.find("card-notes").inputValue();
  await Promise.all([ada, bob].map((visitor) => expect.poll(() => visitor.find("card-notes").isEnabled()).toBe(true)));
  await Promise.all([ada.find("card-notes").pressSequentially("hers "), bob.find("card-notes").pressSequentially("HIS ")]);
  await expect.poll(async () => [(await notes(ada)).length, (await notes(ada)) === (await notes(bob))]).toEqual([9, true]);
  await expectAccessible(ada.page);
  await bob.find("card-close").click();
  await expect.poll(() => card(bob, "Open me").locator("[aria-label='Open at ada']").count()).toBe(1);
  await ada.find("card-delete").click();
  await expect.poll(() => card(bob, "Open me").count()).toBe(0);
  await ada.find("notice-action").click();
  await expect.poll(() => card(bob, "Open me").count()).toBe(1);
});

const all: Required<Looks>[] = (["light", "dark"] as const).flatMap((colorScheme) => (["desktop", "phone"] as const).map((device) => ({ colorScheme, device })));

describe.each(all)("$device, $colorScheme", (looks) => {
  test("looks well, and can be read by everybody", async () => {
    const ada = await arrive("ada", looks);
    await add(ada, "doing", `A card of the ${looks.device} in the ${looks.colorScheme} with a title of two lines`);
    await ada.status("synced");
    expect(await ada.page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)).toBe(false);
    await ada.screenshot(`board-${looks.device}-${looks.colorScheme}-1`);
    await expectAccessible(ada.page);
    await card(ada, `A card of the ${looks.device} in the ${looks.colorScheme}`).click();
    await ada.screenshot(`board-${looks.device}-${looks.colorScheme}-2-card`);
    await expectAccessible(ada.page);
  });
});

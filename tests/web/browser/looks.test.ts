/** The page in light and dark, at desktop and phone width: pictures to look at, and what can be checked of them. */

import { describe, expect, test } from "vitest";

import { expectAccessible } from "../support/axe.js";
import { type Looks, sameText, Visitor } from "../support/browser.js";
import { onStage } from "../support/stage.js";

const stage = onStage("notes");

const all: Required<Looks>[] = (["light", "dark"] as const).flatMap((colorScheme) =>
  (["desktop", "phone"] as const).map((device) => ({ colorScheme, device })),
);

/** Whether the page is wider than the window. */
const overflows = (visitor: Visitor): Promise<boolean> =>
  visitor.page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);

describe.each(all)("$device, $colorScheme", (looks) => {
  const name = (what: string): string => `${looks.device}-${looks.colorScheme}-${what}`;

  test("signing in", async () => {
    const stranger = await Visitor.arrive(stage.browser, stage.server, "", looks);
    await stranger.page.getByRole("textbox").waitFor();
    expect(await overflows(stranger)).toBe(false);
    await stranger.screenshot(name("1-sign-in"));
    await expectAccessible(stranger.page);
    await stranger.page.getByRole("textbox").fill("grace");
    await stranger.press("Enter");
    await stranger.status("online");
  });

  test("the list, and a note with somebody else in it", async () => {
    const ada = await Visitor.arrive(stage.browser, stage.server, "ada", looks);
    const bob = await Visitor.arrive(stage.browser, stage.server, "bob");
    const id = await bob.makeNote("A title that is long enough to need a second line on a narrow screen");
    await bob.find("pin-toggle").click();
    await bob.page.getByRole("radio", { name: "Yellow" }).check();
    await bob.type("# Sunday");
    await bob.press("Enter");
    await bob.type("Bread from the market, and the good coffee.");
    await bob.press("Enter");
    await bob.type("- Ask about the key");
    await bob.press("Enter");
    await bob.type("Water the plants");
    await bob.press("Enter", "Enter");
    await bob.type("> Quoted words");
    await ada.entry(id).waitFor();
    expect(await overflows(ada)).toBe(false);
    await ada.screenshot(name("2-list"));
    await expectAccessible(ada.page);

    await ada.openNote(id);
    await sameText(ada, bob);
    await ada.move("ControlOrMeta+Home");
    await expect.poll(() => ada.page.getByRole("button", { name: "Heading", exact: true }).getAttribute("aria-pressed")).toBe("true");
    await bob.move("ControlOrMeta+End");
    await expect.poll(() => ada.cursors()).toEqual(["bob"]);
    expect(await overflows(ada)).toBe(false);
    await ada.screenshot(name("3-note"));
    await expectAccessible(ada.page);

    await bob.move("Shift+Home");
    await expect.poll(() => ada.page.locator(".remote-selection").count()).toBeGreaterThan(0);
    await ada.find("offline-switch").click();
    await ada.status("offline");
    // Who else is here nobody can say now.
    await expect.poll(() => ada.cursors()).toEqual([]);
    await expectAccessible(ada.page);
    await ada.screenshot(name("4-offline"));
    await ada.find("offline-switch").click();
    await ada.status("synced");

    await ada.find("delete-note").click();
    await ada.find("notice-action").waitFor();
    await ada.screenshot(name("5-deleted"));
    await expectAccessible(ada.page);
    await bob.find("restore-note").waitFor();
  });
});

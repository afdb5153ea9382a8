/** What the README of `@corella/editors` shows, as it stands there, on one page: two people in each of its editors. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";

import { onReadme } from "../support/readme.js";

const { open } = onReadme({
  package: "editors",
  examples: ["ts", "ts", "ts", "ts"],
  meant: [
    ['"http://localhost:4400"', "location.origin"],
    ['user: "ada"', "user"],
    ['name: "Ada"', "name: user"],
  ],
  body: '<textarea></textarea><div id="body"></div><div id="story"></div>',
  entities: [
    {
      name: "Task",
      fields: [
        { name: "notes", type: "string", crdt: "text", optional: true },
        { name: "body", type: "document", optional: true },
        { name: "story", type: "document", optional: true },
      ],
    },
  ],
});

/** What is written in an editor, a line for each block, without the others' cursors. */
const written = (page: Page, editor: string): Promise<string> =>
  page.locator(`${editor} .ProseMirror`).evaluate((element) => {
    const copy = element.cloneNode(true) as HTMLElement;
    copy.querySelectorAll(".remote-cursor, .ProseMirror-trailingBreak, .ProseMirror-separator").forEach((widget) => widget.remove());
    return [...copy.children].map((block) => block.textContent).join("\n");
  });

async function same(ada: Page, bob: Page, editor: string, length: number): Promise<string> {
  await expect.poll(async () => (await written(ada, editor)).replaceAll("\n", "").length).toBe(length);
  await expect.poll(() => written(bob, editor)).toBe(await written(ada, editor));
  return written(ada, editor);
}

const type = async (page: Page, editor: string, text: string): Promise<void> => {
  await page.locator(`${editor} .ProseMirror`).focus();
  await page.keyboard.type(text, { delay: 8 });
};

for (const [name, editor, bold] of [
  ["ProseMirror", "#body", undefined],
  ["TipTap", "#story", "strong"],
] as const) {
  test(`two people write in one ${name} editor from its first letter on, and take back their own`, async () => {
    const [ada, bob] = await Promise.all([open("ada"), open("bob")]);
    await Promise.all([type(ada, editor, "thequickbrownfox"), type(bob, editor, "PACKMYBOX")]);
    const text = await same(ada, bob, editor, 25);
    expect([text.replace(/[^a-z]/g, ""), text.replace(/[^A-Z]/g, "")], "each one's letters, in their order").toEqual(["thequickbrownfox", "PACKMYBOX"]);

    // Steps may be large or small; each takes back Ada's words alone.
    await expect
      .poll(async () => {
        await ada.locator(`${editor} .ProseMirror`).focus();
        await ada.keyboard.press("ControlOrMeta+z");
        return (await written(ada, editor)).replace(/[^a-z]/g, "");
      })
      .toBe("");
    expect((await same(ada, bob, editor, 9)).replaceAll("\n", "")).toBe("PACKMYBOX");
    await expect
      .poll(async () => {
        await ada.keyboard.press("ControlOrMeta+Shift+z");
        return (await written(ada, editor)).replace(/[^a-z]/g, "");
      })
      .toBe("thequickbrownfox");
    await same(ada, bob, editor, 25);

    if (bold === undefined) {
      await bob.locator(`${editor} .ProseMirror`).focus();
      await expect.poll(() => ada.locator(`${editor} .remote-cursor-name`).allTextContents()).toEqual(["bob"]);
    } else {
      await bob.locator(`${editor} .ProseMirror`).focus();
      await bob.keyboard.press("ControlOrMeta+a");
      await bob.keyboard.press("ControlOrMeta+b");
      await expect.poll(async () => (await ada.locator(`${editor} ${bold}`).allTextContents()).join("").length).toBe(25);
    }
  });
}

test("a text input and CodeMirror are two editors on one text", async () => {
  const [ada, bob] = await Promise.all([open("ada"), open("bob")]);
  await ada.locator("textarea").pressSequentially("one ");
  await expect.poll(() => bob.locator(".cm-content").innerText()).toBe("one ");
  await bob.locator(".cm-content").focus();
  await bob.keyboard.press("ControlOrMeta+End");
  await bob.keyboard.type("TWO");
  await expect.poll(() => ada.locator("textarea").inputValue()).toBe("one TWO");
});

/** Keys that move the caret, while the cursors of somebody else are drawn. */

import type { CDPSession } from "playwright-core";
import { expect, test } from "vitest";

import { sameText, Visitor } from "../support/browser.js";
import { onStage } from "../support/stage.js";

const stage = onStage("notes");

const presses = 20;

/** How many letters are before the caret, once whatever is about to be drawn is drawn. */
const caret = (visitor: Visitor): Promise<number> =>
  visitor.find("editor").evaluate(async (editor) => {
    for (let frame = 0; frame < 3; frame += 1) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
    const selection = window.getSelection();
    if (selection === null || selection.focusNode === null || !editor.contains(selection.focusNode)) {
      return -1;
    }
    const before = document.createRange();
    before.selectNodeContents(editor);
    before.setEnd(selection.focusNode, selection.focusOffset);
    const letters = before.cloneContents();
    letters.querySelectorAll(".remote-cursor").forEach((widget) => widget.remove());
    return letters.textContent?.length ?? -1;
  });

test("no key is lost", async () => {
  const [ada, bob] = await Promise.all([Visitor.arrive(stage.browser, stage.server, "ada"), Visitor.arrive(stage.browser, stage.server, "bob")]);
  const id = await ada.makeNote("Moving");
  await ada.type("The quick brown fox jumps over the lazy dog.");
  await bob.openNote(id);
  const text = await sameText(ada, bob);
  let isDone = false;
  const restless = (async () => {
    while (!isDone) {
      await ada.move("Home", "ArrowRight", "End", "ArrowLeft");
    }
  })();
  const found: number[] = [];
  const expected: number[] = [];
  for (let press = 0; press < presses; press += 1) {
    const isEnd = press % 2 === 0;
    await bob.move(isEnd ? "ControlOrMeta+End" : "ControlOrMeta+Home");
    found.push(await caret(bob));
    expected.push(isEnd ? text.length : 0);
  }
  isDone = true;
  await restless;
  expect(found).toEqual(expected);
});

/** Hands the page keys one directly after the other, as somebody does who types faster than the page draws. */
async function pressAtOnce(session: CDPSession, ...keys: readonly { readonly key: string; readonly code: number; readonly modifiers?: number; readonly text?: string }[]): Promise<void> {
  await Promise.all(
    keys.flatMap(({ key, code, modifiers = 0, text }) => {
      const event = { key, code: key, windowsVirtualKeyCode: code, modifiers };
      return [
        session.send("Input.dispatchKeyEvent", text === undefined ? { ...event, type: "rawKeyDown" } : { ...event, type: "keyDown", text }),
        session.send("Input.dispatchKeyEvent", { ...event, type: "keyUp" }),
      ];
    }),
  );
}

test("a key finds the caret where the key before it moved it, in a busy page too", async () => {
  const ada = await Visitor.arrive(stage.browser, stage.server, "ada");
  await ada.makeNote("Busy");
  await ada.type("abc");
  const session = await ada.page.context().newCDPSession(ada.page);
  for (let line = 0; line < 3; line += 1) {
    await ada.move("ControlOrMeta+Home");
    expect(await caret(ada)).toBe(0);
    // While the page is busy for a moment, the keys wait for it together.
    await ada.page.evaluate(() => {
      setTimeout(() => {
        const start = performance.now();
        while (performance.now() - start < 150);
      });
    });
    await pressAtOnce(session, { key: "End", code: 35, modifiers: 2 }, { key: "Enter", code: 13, text: "\r" }, { key: "x", code: 88, text: "x" });
  }
  await expect.poll(() => ada.body()).toBe("abc\nx\nx\nx");
});

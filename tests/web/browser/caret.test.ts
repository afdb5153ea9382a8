/** Keys that move the caret, while the cursors of somebody else are drawn. */

import { expect, test } from "vitest";

import { sameText, Visitor } from "../support/browser.js";
import { onStage } from "../support/stage.js";

const stage = onStage("notes");

const presses = 40;

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

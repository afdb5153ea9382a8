import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";

import { type Answer, changed, replaced, type Upsert } from "../../src/live/answer.js";
import { readLiveMessage } from "../../src/live/messages.js";

const answer = (rows: readonly (readonly [string, number])[]): Answer => ({ epoch: "e", seq: 1, cursor: undefined, rows: rows.map(([id, n]) => ({ id, n })) });

test("a difference leads from any answer to any other", () => {
  const rows = fc.uniqueArray(fc.tuple(fc.constantFrom(..."abcdefgh"), fc.nat(3)), { selector: ([id]) => id });
  fc.assert(
    fc.property(rows, rows, (before, after) => {
      const [old, now] = [new Map(before), new Map(after)];
      const remove = before.filter(([id]) => !now.has(id)).map(([id]) => id);
      // As a server may tell it: everything that does not stand where the kept ones leave it gets a place.
      const kept = before.filter(([id]) => now.has(id)).map(([id]) => id);
      const isInOrder = kept.join() === after.filter(([id]) => old.has(id)).map(([id]) => id).join();
      const upsert = after.flatMap(([id, n], at): Upsert[] => {
        const isPlaced = !isInOrder || !old.has(id);
        return isPlaced || old.get(id) !== n ? [{ id, at: isPlaced ? at : undefined, row: { n } }] : [];
      });
      const result = changed(answer(before), 2, { upsert, remove });
      expect(result.answer.rows).toEqual(answer(after).rows);
      expect(result.answer.seq).toBe(2);
    }),
  );
});

test("rows that a whole answer does not change stay the same objects", () => {
  const before = answer([["a", 1], ["b", 2], ["c", 3]]);
  const { answer: now, change } = replaced(before, answer([["c", 3], ["a", 9]]));
  expect(now.rows[0]).toBe(before.rows[2]);
  expect(change).toEqual({ upserted: [{ id: "a", n: 9 }], removed: ["b"], isWhole: true });
});

test("the golden messages about answers are read, and lead from one to the next", () => {
  const golden = JSON.parse(readFileSync(new URL("../../../../../schema/golden/control.json", import.meta.url), "utf8")) as {
    readonly server: readonly { readonly type: string; readonly [key: string]: unknown }[];
  };
  const about = golden.server.filter(({ type }) => ["snapshot", "changes", "reached"].includes(type)).map((message) => readLiveMessage(message));
  const whole = about.find((message) => message?.type === "snapshot" && message.ref === "7");
  const changes = about.find((message) => message?.type === "changes");
  if (whole?.type !== "snapshot" || changes?.type !== "changes") {
    throw new Error("the golden messages are not read");
  }
  const difference = changes.answers.find(({ ref }) => ref === "7");
  const { answer: now } = changed(whole, changes.seq, difference ?? { upsert: [], remove: [] });
  expect(now.rows).toEqual([
    {
      id: "n1",
      author: null,
      comments: [
        { id: "c1", text: "Hm!", author: { id: "ada", name: "Ada" } },
        { id: "c2", text: "Yes", author: null },
      ],
    },
  ]);
  expect(about.filter((message) => message === undefined)).toEqual([]);
});

import { LoroDoc } from "loro-crdt";
import { describe, expect, it } from "vitest";

import { CorellaError } from "../../src/public/error.js";
import { addTo, countOf } from "../../src/row/counter.js";

function meet(one: LoroDoc, other: LoroDoc): void {
  one.import(other.export({ mode: "update" }));
  other.import(one.export({ mode: "update" }));
}

describe("a counter", () => {
  it("adds up what several clients add at the same time", () => {
    const docs = [new LoroDoc(), new LoroDoc()] as const;
    for (const [index, doc] of docs.entries()) {
      const fields = doc.getMap("row");
      addTo(fields, "likes", doc.peerIdStr, 10);
      addTo(fields, "likes", doc.peerIdStr, index - 3);
      doc.commit();
    }
    meet(...docs);
    expect(docs.map((doc) => countOf(doc.getMap("row"), "likes"))).toEqual([15, 15]);
    const totals = docs[0].getMap("row").toJSON() as { likes: Record<string, number> };
    expect(totals.likes).toEqual({ [docs[0].peerIdStr]: 7, [docs[1].peerIdStr]: 8 });
  });

  it("stands at 0 before anybody has counted, and at a plain value that was there before", () => {
    const fields = new LoroDoc().getMap("row");
    expect(countOf(fields, "likes")).toBe(0);
    fields.set("likes", 7);
    expect(countOf(fields, "likes")).toBe(7);
  });

  it("refuses what is not exact, and a field that is no counter yet", () => {
    const doc = new LoroDoc();
    const fields = doc.getMap("row");
    fields.set("plain", 7);
    for (const [field, by] of [["likes", 2 ** 53], ["likes", Number.NaN], ["likes", Infinity], ["plain", 1]] as const) {
      expect(() => addTo(fields, field, doc.peerIdStr, by)).toThrow(CorellaError);
    }
    expect(countOf(fields, "likes")).toBe(0);
    addTo(fields, "score", doc.peerIdStr, 0.5);
    expect(countOf(fields, "score")).toBe(0.5);
  });
});

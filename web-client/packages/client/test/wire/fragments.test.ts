import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { Assembler, FRAGMENT_BYTES, MAX_FRAME_BYTES, newBatchId, toBatch, type Frame, type RoomAddress } from "../../src/wire/index.js";
import { encode } from "../support/server-frames.js";

const ADDRESS: RoomAddress = { magic: "%LOR", room: "Note/a" };

function feed(assembler: Assembler, frame: Frame): Uint8Array | undefined {
  if (frame.type === "fragment_header") {
    assembler.header(frame, frame.batch, frame.count, frame.totalBytes);
  }
  return frame.type === "fragment" ? assembler.fragment(frame, frame.batch, frame.index, frame.chunk) : undefined;
}

describe("batches", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("an update of fragment size is one frame, one byte more are three", () => {
    expect(toBatch(ADDRESS, new Uint8Array(FRAGMENT_BYTES)).frames.map((frame) => frame.type)).toEqual(["update"]);
    expect(toBatch(ADDRESS, new Uint8Array(FRAGMENT_BYTES + 1)).frames.map((frame) => frame.type)).toEqual(["fragment_header", "fragment", "fragment"]);
  });

  test("every frame of a batch fits, in a room with the longest name", () => {
    const address: RoomAddress = { magic: "%LOR", room: "x".repeat(128) };
    for (const size of [FRAGMENT_BYTES, FRAGMENT_BYTES * 3 + 7]) {
      for (const frame of toBatch(address, new Uint8Array(size)).frames) {
        expect(encode(frame).length).toBeLessThanOrEqual(MAX_FRAME_BYTES);
      }
    }
  });

  test("come together in any order", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }), (order) => {
        const update = Uint8Array.from({ length: FRAGMENT_BYTES * 3 + 1000 }, (_, index) => index % 251);
        const [header, ...pieces] = toBatch(ADDRESS, update).frames;
        const assembler = new Assembler(() => {});
        const results = [header, ...order.map((index) => pieces[index])].map((frame) => frame && feed(assembler, frame));
        expect(results.slice(0, -1).every((result) => result === undefined)).toBe(true);
        expect(Buffer.compare(results.at(-1) ?? new Uint8Array(0), update)).toBe(0);
        assembler.clear();
      }),
      { numRuns: 10 },
    );
  });

  test("that contradict their header are refused", () => {
    const assembler = new Assembler(() => {});
    const [first, second, third, fourth] = [newBatchId(), newBatchId(), newBatchId(), newBatchId()];
    assembler.header(ADDRESS, first, 2, 10);
    expect(() => assembler.fragment(ADDRESS, first, 2, new Uint8Array(1))).toThrow("does not fit");
    assembler.header(ADDRESS, second, 2, 10);
    expect(() => assembler.fragment(ADDRESS, second, 0, new Uint8Array(11))).toThrow("does not fit");
    assembler.header(ADDRESS, third, 2, 10);
    assembler.fragment(ADDRESS, third, 0, new Uint8Array(3));
    expect(() => assembler.fragment(ADDRESS, third, 0, new Uint8Array(3))).toThrow("does not fit");
    assembler.header(ADDRESS, fourth, 1, 10);
    expect(() => assembler.fragment(ADDRESS, fourth, 0, new Uint8Array(9))).toThrow("should have 10 bytes");
    expect(() => assembler.header(ADDRESS, newBatchId(), 0, 0)).toThrow("1 or more fragments");
    expect(() => assembler.header(ADDRESS, newBatchId(), 11, 10)).toThrow("1 or more fragments");
    assembler.clear();
  });

  test("cannot be promised without end", () => {
    const assembler = new Assembler(() => {});
    assembler.header(ADDRESS, newBatchId(), 1, 200 * 1024 * 1024);
    expect(() => assembler.header(ADDRESS, newBatchId(), 1, 100 * 1024 * 1024)).toThrow("under way at once");
    assembler.clear();
  });

  test("without a piece for ten seconds are given up, and the owner hears", () => {
    const lost: string[] = [];
    const assembler = new Assembler((address, batch) => lost.push(`${address.room} ${batch}`));
    const batch = newBatchId();
    assembler.header(ADDRESS, batch, 3, 3);
    vi.advanceTimersByTime(9_000);
    assembler.fragment(ADDRESS, batch, 0, new Uint8Array(1));
    vi.advanceTimersByTime(9_000);
    expect(lost).toEqual([]);
    vi.advanceTimersByTime(1_000);
    expect(lost).toEqual([`Note/a ${batch}`]);
    expect(assembler.fragment(ADDRESS, batch, 1, new Uint8Array(1))).toBeUndefined();
  });
});

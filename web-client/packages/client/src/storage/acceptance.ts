/** What every storage must hold to, as tests that run anywhere: `@corella/client/storage-acceptance`. */

import { rowKey, type RowKey, type StoragePort, type StorageWrite, type StoredMutation } from "./port.js";

/** One promise of the port. `run` rejects when it is broken. */
export interface AcceptanceTest {
  readonly name: string;
  /**
   * Tries it.
   *
   * @param open opens the same empty place each time: what one hand wrote, the other reads.
   */
  run(open: () => StoragePort): Promise<void>;
}

const note = rowKey("Note", "n1");
const task = rowKey("Task", "t1");
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const mutation = (key: string): StoredMutation => ({ key, entity: "Note", id: key, operation: "patch", fields: { title: key } });
const append = (part: Uint8Array, unsent?: Record<string, number>): Extract<StorageWrite, { type: "append" }> => ({ type: "append", key: note, part, unsent });

/** A view that says how many parts the row had. */
async function viewsOf(storage: StoragePort, key: RowKey | undefined): Promise<StorageWrite[]> {
  const rows = await storage.loadEach(key === undefined ? [] : [key]);
  return rows.map((row) => ({ type: "view", key: row.key, stamp: row.stamp, view: { fields: { part: row.parts.length }, deleted: false }, byteCount: 100 }));
}

/** Bytes as arrays, and keys in order, so that two values can be compared as text. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) {
    return [...value];
  }
  if (Array.isArray(value)) {
    return value.map(plain);
  }
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, member]) => member !== undefined)
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .map(([key, member]) => [key, plain(member)]),
    );
  }
  return value;
}

function expectSame(what: string, found: unknown, expected: unknown): void {
  const [left, right] = [JSON.stringify(plain(found)), JSON.stringify(plain(expected))];
  if (left !== right) {
    throw new Error(`${what} should be ${right}, it is ${left}`);
  }
}

/** Everything that the port promises. An implementation passes when none of them rejects. */
export const storageAcceptance: readonly AcceptanceTest[] = [
  {
    name: "a row that was never written is not there",
    async run(open) {
      expectSame("the row", await open().load(note), undefined);
      expectSame("the list", await open().rows(), []);
    },
  },
  {
    name: "parts come back in their order, to whoever opens the place next",
    async run(open) {
      await open().write([append(bytes(1)), append(bytes(2, 3))]);
      await open().write([append(bytes(4))]);
      expectSame("the row", await open().load(note), { parts: [[1], [2, 3], [4]], unsent: {}, seed: {} });
    },
  },
  {
    name: "a view is stored without what it is a view of",
    async run(open) {
      const view = bytes(9, 9, 1, 9).subarray(2, 3);
      await open().write([append(view)]);
      const row = await open().load(note);
      expectSame("the part", row?.parts, [[1]]);
    },
  },
  {
    name: "unsent operations add up, and are settled peer by peer",
    async run(open) {
      const storage = open();
      await storage.write([append(bytes(1), { "7": 3 }), append(bytes(2), { "7": 5, "8": 1 }), append(bytes(3))]);
      expectSame("the unsent rows", await storage.unsentRows(), [note]);
      await storage.write([{ type: "settle", key: note, reach: { "7": 4, "8": 1 }, epoch: "e1" }]);
      expectSame("the row", await storage.load(note), { parts: [[1], [2], [3]], unsent: { "7": 5 }, seed: {}, epoch: "e1" });
      await storage.write([{ type: "settle", key: note, reach: { "7": 9 }, epoch: undefined }]);
      expectSame("the row", await storage.load(note), { parts: [[1], [2], [3]], unsent: {}, seed: {}, epoch: "e1" });
      expectSame("the unsent rows", await storage.unsentRows(), []);
    },
  },
  {
    name: "what settles or uses a row that is not kept does not make it",
    async run(open) {
      const storage = open();
      await storage.write([
        { type: "settle", key: note, reach: { "7": 4 }, epoch: "e1" },
        { type: "use", key: note, at: 5 },
      ]);
      expectSame("the row", await storage.load(note), undefined);
    },
  },
  {
    name: "a seed is one until the server has it",
    async run(open) {
      const storage = open();
      const seed = { ...append(bytes(1), { "7": 3 }), isSeed: true } as const;
      await storage.write([seed, append(bytes(2), { "7": 5 })]);
      expectSame("the row", await open().load(note), { parts: [[1], [2]], unsent: { "7": 5 }, seed: { "7": 3 } });
      await storage.write([{ type: "settle", key: note, reach: { "7": 4 }, epoch: undefined }]);
      expectSame("the row", await open().load(note), { parts: [[1], [2]], unsent: { "7": 5 }, seed: {} });
      await storage.write([{ type: "remove", key: note }, seed, { type: "replace", key: note, part: bytes(3), unsent: {}, epoch: undefined }]);
      expectSame("the row", await storage.load(note), { parts: [[3]], unsent: {}, seed: {} });
    },
  },
  {
    name: "a replaced row has only what replaced it, and takes more",
    async run(open) {
      const storage = open();
      await storage.write([append(bytes(1), { "7": 3 }), append(bytes(2))]);
      await storage.write([{ type: "replace", key: note, part: bytes(5), unsent: {}, epoch: "e2" }, append(bytes(6), { "9": 1 })]);
      expectSame("the row", await open().load(note), { parts: [[5], [6]], unsent: { "9": 1 }, seed: {}, epoch: "e2" });
    },
  },
  {
    name: "removing takes what waits along, evicting spares it",
    async run(open) {
      const storage = open();
      await storage.write([append(bytes(1), { "7": 1 }), { type: "append", key: task, part: bytes(2) }]);
      await storage.write([
        { type: "evict", key: note },
        { type: "evict", key: task },
      ]);
      expectSame("the rows", (await storage.rows()).map(({ key }) => key), [note]);
      await storage.write([{ type: "remove", key: note }]);
      expectSame("the rows", await storage.rows(), []);
      await storage.write([append(bytes(3))]);
      expectSame("the row", await storage.load(note), { parts: [[3]], unsent: {}, seed: {} });
    },
  },
  {
    name: "folding sees all parts and leaves one, and what waits stays",
    async run(open) {
      const storage = open();
      await storage.write([append(bytes(1), { "7": 1 }), append(bytes(2))]);
      await storage.fold(note, (parts) => Uint8Array.from(parts.flatMap((part) => [...part])));
      expectSame("the row", await storage.load(note), { parts: [[1, 2]], unsent: { "7": 1 }, seed: {} });
      await storage.write([append(bytes(3))]);
      expectSame("the row", await storage.load(note), { parts: [[1, 2], [3]], unsent: { "7": 1 }, seed: {} });
    },
  },
  {
    name: "a fold that gives up or fails changes nothing",
    async run(open) {
      const storage = open();
      await storage.write([append(bytes(1)), append(bytes(2))]);
      await storage.fold(note, () => undefined);
      const failed = await storage
        .fold(note, () => {
          throw new Error("unreadable");
        })
        .then(() => "done", () => "failed");
      expectSame("the fold", failed, "failed");
      expectSame("the row", await storage.load(note), { parts: [[1], [2]], unsent: {}, seed: {} });
    },
  },
  {
    name: "the list knows sizes, uses and entities",
    async run(open) {
      const storage = open();
      await storage.write([append(bytes(1, 2), { "7": 1 }), append(bytes(3)), { type: "use", key: note, at: 11 }]);
      await storage.write([{ type: "append", key: task, part: bytes(1) }, { type: "use", key: task, at: 12 }, { type: "append", key: rowKey("Tasks", "x"), part: bytes(1) }]);
      expectSame("the notes", await storage.rows("Note"), [{ key: note, byteCount: 3, hasUnsent: true, usedAt: 11 }]);
      expectSame("the tasks", await storage.rows("Task"), [{ key: task, byteCount: 1, hasUnsent: false, usedAt: 12 }]);
      expectSame("all", (await storage.rows()).length, 3);
    },
  },
  {
    name: "rows are loaded together, those that are there",
    async run(open) {
      const storage = open();
      await storage.write([append(bytes(0)), append(bytes(0, 9), { "7": 1 }), { type: "append", key: task, part: bytes(1) }]);
      const rows = await storage.loadEach([task, rowKey("Note", "none"), note]);
      expectSame("the rows", rows.map(({ stamp: _, ...row }) => row), [{ key: task, parts: [[1]], unsent: {}, seed: {} }, { key: note, parts: [[0], [0, 9]], unsent: { "7": 1 }, seed: {} }]);
    },
  },
  {
    name: "rows of one entity are listed piece by piece, with views or without",
    async run(open) {
      const storage = open();
      const keys = ["a", "b", "c", "d"].map((id) => rowKey("Note", id));
      await storage.write([
        ...keys.map((key, index): StorageWrite => ({ type: "append", key, part: bytes(index), unsent: index === 1 ? { "7": 1 } : undefined })),
        { type: "append", key: rowKey("Notes", "x"), part: bytes(1) },
        { type: "append", key: task, part: bytes(1) },
      ]);
      for (const key of [keys[0], keys[2], keys[3]]) {
        await storage.write(await viewsOf(storage, key));
      }
      const first = await storage.list("Note", undefined, 2);
      expectSame("the first rows", first, [{ key: keys[0], hasUnsent: false, view: { fields: { part: 1 }, deleted: false } }, { key: keys[1], hasUnsent: true }]);
      const rest = await open().list("Note", first[1]?.key, Number.POSITIVE_INFINITY);
      expectSame("the others", rest.map(({ key, view }) => [key, view?.fields["part"]]), [[keys[2], 1], [keys[3], 1]]);
      expectSame("the rows behind them", await storage.list("Note", keys[3], 2), []);
      expectSame("the rows without a view", [...(await storage.unviewedRows())].sort(), [keys[1], rowKey("Notes", "x"), task]);
    },
  },
  {
    name: "a view goes with the next change, and one of an older document is not taken",
    async run(open) {
      const storage = open();
      await storage.write([append(bytes(1))]);
      const old = await viewsOf(storage, note);
      await storage.write([append(bytes(2))]);
      await storage.write(old);
      expectSame("the view", (await storage.list("Note", undefined, 9))[0]?.view, undefined);
      await storage.write(await viewsOf(storage, note));
      await storage.fold(note, () => bytes(3));
      await storage.write([{ type: "settle", key: note, reach: {}, epoch: "e1" }, { type: "use", key: note, at: 1 }]);
      expectSame("the view", (await storage.list("Note", undefined, 9))[0]?.view?.fields, { part: 2 });
      expectSame("the size, with the view", (await storage.rows())[0]?.byteCount, 1 + 100);
      await storage.write([{ type: "replace", key: note, part: bytes(5), unsent: {}, epoch: "e2" }]);
      expectSame("the view", (await storage.list("Note", undefined, 9))[0]?.view, undefined);
      const replaced = await viewsOf(storage, note);
      await storage.write([{ type: "remove", key: note }, append(bytes(6))]);
      await storage.write(replaced);
      expectSame("the view", await storage.list("Note", undefined, 9), [{ key: note, hasUnsent: false }]);
      await storage.write([...(await viewsOf(storage, note)), { type: "evict", key: note }]);
      expectSame("the list", await storage.list("Note", undefined, 9), []);
    },
  },
  {
    name: "mutations come in order, in pieces, once per key",
    async run(open) {
      const storage = open();
      await storage.write(["a", "b", "c", "b"].map((key) => ({ type: "enqueue", mutation: mutation(key) })));
      await open().write([{ type: "enqueue", mutation: mutation("a") }]);
      const first = await storage.mutations(0, 2);
      expectSame("the first piece", first.map((entry) => entry.mutation), [mutation("a"), mutation("b")]);
      const rest = await storage.mutations(first[1]?.place ?? 0, 10);
      expectSame("the rest", rest.map((entry) => entry.mutation.key), ["c"]);
      await storage.write([{ type: "dequeue", key: "b" }, { type: "dequeue", key: "unknown" }]);
      expectSame("the count", await storage.mutationCount(), 2);
      await storage.write([{ type: "enqueue", mutation: mutation("d") }]);
      const after = await storage.mutations(rest[0]?.place ?? 0, 10);
      expectSame("what came later", after.map((entry) => entry.mutation.key), ["d"]);
    },
  },
  {
    name: "refused work is kept until it is released",
    async run(open) {
      const storage = open();
      const edits = { id: "2", code: "forbidden", message: "no", at: 20, work: { kind: "edits", entity: "Note", id: "n1", snapshot: bytes(1) } } as const;
      const change = { id: "1", code: "unique_violation", message: "no", at: 10, work: { kind: "mutation", mutation: mutation("a") } } as const;
      await storage.write([
        { type: "quarantine", rejection: edits },
        { type: "quarantine", rejection: change },
      ]);
      expectSame("the rejections", await open().rejections(), [change, edits]);
      await storage.write([{ type: "release", id: "1" }]);
      expectSame("the rejections", await open().rejections(), [edits]);
    },
  },
  {
    name: "small facts are remembered",
    async run(open) {
      await open().write([{ type: "remember", name: "epoch", value: "e1" }]);
      await open().write([{ type: "remember", name: "epoch", value: "e2" }]);
      expectSame("the epoch", await open().recall("epoch"), "e2");
      expectSame("another fact", await open().recall("other"), undefined);
      await open().write([{ type: "forget", name: "epoch" }, { type: "forget", name: "other" }]);
      expectSame("the forgotten epoch", await open().recall("epoch"), undefined);
    },
  },
  {
    name: "writers at the same time lose nothing of each other's",
    async run(open) {
      const hands = [open(), open(), open()];
      await Promise.all(hands.flatMap((hand, index) => Array.from({ length: 20 }, () => hand.write([append(bytes(index), { [String(index)]: 1 })]))));
      const row = await open().load(note);
      expectSame("how many parts there are", row?.parts.length, 60);
      expectSame("what waits", row?.unsent, { "0": 1, "1": 1, "2": 1 });
    },
  },
];

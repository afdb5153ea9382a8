/** The server ends and comes back while clients write: the clients return by themselves, and nothing is lost. */

import { LoroDoc } from "loro-crdt";
import { UpdateStatusCode } from "loro-protocol";
import { RoomJoinStatus } from "loro-websocket";
import { expect, onTestFinished, test } from "vitest";

import { journal } from "../support/journal.js";
import { Server } from "../support/server.js";
import { sqlite } from "../support/sqlite.js";
import { converged, type DocumentRoom, lateJoiner, missing, type Refusal, StockClient, stockClient } from "../support/stock.js";

async function startServer(): Promise<Server> {
  const server = await Server.start("open");
  onTestFinished(() => server.stop());
  return server;
}

/** Writes letter after letter until it is told to stop; the event loop turns in between. */
function writing({ doc }: DocumentRoom, letter: string): { readonly stop: () => void; readonly count: () => number } {
  let count = 0;
  let stopped = false;
  const write = (): void => {
    if (!stopped) {
      count += 1;
      doc.getMap("row").ensureMergeableText("notes").insert(0, letter);
      doc.getMap("row").set("estimate", count);
      doc.commit();
      setTimeout(write, 5);
    }
  };
  write();
  return {
    stop: () => {
      stopped = true;
    },
    count: () => count,
  };
}

function acknowledgedCount(room: string): number {
  return [...journal.acknowledged(room).values()].reduce((sum, end) => sum + end, 0);
}

/**
 * Refusals that tell the client to give its document up.
 *
 * What a stock client writes while it joins again it sends at once, and once more with all that was before it when
 * the join is answered. The first of these cannot be stored, which is no reason to give up.
 */
function finalRefusals(...rooms: readonly DocumentRoom[]): Refusal[] {
  return rooms.flatMap(({ refusals }) => refusals).filter(({ status }) => status !== UpdateStatusCode.Unknown);
}

test("killed in the middle of writes, three times over", async () => {
  const server = await startServer();
  const room = "Task/killed";
  const ada = await (await stockClient(server, "ada")).document(room);
  const bob = await (await stockClient(server, "bob")).document(room);
  const writers = [writing(ada, "a"), writing(bob, "b")];

  for (let round = 1; round <= 3; round += 1) {
    const before = acknowledgedCount(room);
    await expect.poll(() => acknowledgedCount(room)).toBeGreaterThan(before + 60);
    await server.end("SIGKILL");
    const promised = new Map(journal.acknowledged(room));

    // At another address first, where the writers cannot mend what the server might have lost.
    await server.restart("other port");
    const kept = await lateJoiner(server, room);
    expect(missing(kept, promised), `what was acknowledged before kill ${round}`).toEqual([]);
    expect(await sqlite(server, "select length(notes) from Task where id = 'killed'")).toEqual([
      String(kept.getMap("row").ensureMergeableText("notes").length),
    ]);
    await server.end("SIGTERM");

    await server.restart();
    await expect.poll(() => [ada, bob].map(({ statuses }) => statuses.filter((status) => status === RoomJoinStatus.Joined).length)).toEqual([round + 1, round + 1]);
  }

  writers.forEach((writer) => writer.stop());
  await converged(ada.doc, bob.doc);
  const text = ada.doc.getMap("row").ensureMergeableText("notes").toString();
  expect([text.replaceAll("b", "").length, text.replaceAll("a", "").length]).toEqual(writers.map((writer) => writer.count()));
  await converged(ada.doc, await lateJoiner(server, room));
  expect(finalRefusals(ada, bob)).toEqual([]);
});

test("ended in order, with close code 1012, and started again", async () => {
  const server = await startServer();
  const room = "Task/restarted";
  const ada = await (await stockClient(server, "ada")).document(room);
  const bob = await (await stockClient(server, "bob")).document(room);
  const writers = [writing(ada, "a"), writing(bob, "b")];
  await expect.poll(() => acknowledgedCount(room)).toBeGreaterThan(60);

  const closedBefore = journal.closeCodes().length;
  await server.end("SIGTERM");
  await expect.poll(() => journal.closeCodes().slice(closedBefore, closedBefore + 2)).toEqual([1012, 1012]);
  const promised = new Map(journal.acknowledged(room));
  await server.restart("other port");
  expect(missing(await lateJoiner(server, room), promised)).toEqual([]);
  await server.end("SIGTERM");
  await server.restart();

  await expect.poll(() => acknowledgedCount(room)).toBeGreaterThan([...promised.values()].reduce((sum, end) => sum + end, 60));
  writers.forEach((writer) => writer.stop());
  await converged(ada.doc, bob.doc);
  await converged(ada.doc, await lateJoiner(server, room));
  expect(finalRefusals(ada, bob)).toEqual([]);
});

test("a token that takes a while does not cost a client its document", async () => {
  const server = await startServer();
  const room = "Task/slow-token";
  const doc = new LoroDoc();
  const slowToken = async (): Promise<string> => {
    const before = doc.opCount();
    if (before > 0) {
      // The writer goes on meanwhile, and the stock client sends what is written although it has not joined again.
      await expect.poll(() => doc.opCount()).toBeGreaterThan(before + 20);
    }
    return server.token("ada");
  };
  const ada = await new StockClient(server, slowToken).document(room, doc);
  const writer = writing(ada, "a");
  await expect.poll(() => acknowledgedCount(room)).toBeGreaterThan(60);
  await server.end("SIGKILL");
  await server.restart();
  const before = acknowledgedCount(room);
  await expect.poll(() => acknowledgedCount(room)).toBeGreaterThan(before + 60);
  writer.stop();
  await expect.poll(() => missing(ada.doc, journal.acknowledged(room))).toEqual([]);
  await expect.poll(async () => (await lateJoiner(server, room)).opCount()).toBe(ada.doc.opCount());
  expect(finalRefusals(ada)).toEqual([]);
});

test("presence comes back with the connection", async () => {
  const server = await startServer();
  const ada = await (await stockClient(server, "ada")).presence("Task/present");
  const bob = await (await stockClient(server, "bob")).presence("Task/present");
  ada.store.set("ada", "before");
  await expect.poll(() => bob.store.get("ada")).toBe("before");
  await server.end("SIGKILL");
  ada.store.set("ada", "meanwhile");
  await server.restart();
  await expect.poll(() => bob.store.get("ada")).toBe("meanwhile");
});

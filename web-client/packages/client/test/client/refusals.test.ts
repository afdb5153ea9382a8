import { beforeEach, describe, expect, onTestFinished, test } from "vitest";

import type { RowRejection } from "../../src/index.js";
import { isSynced, openClient, type, until } from "../support/clients.js";
import { FakeServer, type Refusal } from "../support/fake-server.js";

const ROOM = "Note/n1";

let server: FakeServer;

beforeEach(async () => {
  const started = await FakeServer.start();
  server = started;
  onTestFinished(() => started.stop());
  server.edit(ROOM, (doc) => doc.getMap("row").ensureMergeableText("body").insert(0, "good"));
});

/** Refuses the first `times` batches. */
function refuse(times: number, refusal: Refusal): void {
  let left = times;
  server.judge = () => (left-- > 0 ? refusal : undefined);
}

describe("a refused edit", () => {
  test("is handed back, and the row goes on from the server's state", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    const rejections: RowRejection[] = [];
    const kinds: string[] = [];
    row.onRejected((rejection) => rejections.push(rejection));
    row.onStatus((status) => kinds.push(status.kind));
    const before = row.doc;
    refuse(1, { status: "invalid_update", code: "invalid_value", message: "body may have 100 characters" });
    type(row, "body", " and bad");
    const replaced = new Promise<unknown>((resolve) => row.onReplaced(resolve));
    expect(await replaced).toBe(row.doc);
    expect(row.doc).not.toBe(before);
    expect(row.get("body")).toBe("good");
    expect(rejections).toHaveLength(1);
    expect(rejections[0]).toMatchObject({ code: "invalid_value", message: "body may have 100 characters" });
    expect(rejections[0]?.lost.toJSON()).toEqual({ row: { body: "good and bad" } });
    await until(row, isSynced);
    expect(kinds).toEqual(["pending", "refused", "synced"]);
    type(row, "body", " and better");
    await until(row, isSynced);
    expect(server.document(ROOM).toJSON()).toEqual({ row: { body: "good and better" } });
  });

  test("may be explained behind its acknowledgement", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    refuse(1, { status: "application", code: "unique_violation", message: "There is a note of this title.", wordsLast: true });
    const rejected = new Promise<RowRejection>((resolve) => row.onRejected(resolve));
    type(row, "body", "!");
    expect(await rejected).toMatchObject({ code: "unique_violation", message: "There is a note of this title." });
    const before = row.doc;
    await until(row, () => row.doc !== before && isSynced(row));
    const kept = row.doc;
    refuse(1, { status: "permission_denied", code: "not_joined", message: "Join first.", wordsLast: true });
    type(row, "body", "+");
    await until(row, isSynced);
    expect(row.doc).toBe(kept);
    expect(row.get("body")).toBe("good+");
  });

  test("takes those behind it along, and they are handed back together", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    const rejections: RowRejection[] = [];
    row.onRejected((rejection) => rejections.push(rejection));
    let count = 0;
    // As a server does: the first is refused for good, what builds on it for its dependencies.
    server.judge = () => {
      count += 1;
      return count === 1 ? { status: "invalid_update" } : count === 2 ? { status: "unknown", code: "missing_dependencies" } : undefined;
    };
    const before = row.doc;
    type(row, "body", " one");
    await Promise.resolve();
    type(row, "body", " two");
    await until(row, () => row.doc !== before && isSynced(row));
    expect(rejections.map((rejection) => rejection.lost.toJSON())).toEqual([{ row: { body: "good one two" } }]);
    expect(row.get("body")).toBe("good");
  });

  test("gets words of its own where the server sends only a status", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    refuse(1, { status: "permission_denied" });
    const rejected = new Promise<RowRejection>((resolve) => row.onRejected(resolve));
    type(row, "body", "!");
    expect(await rejected).toMatchObject({ code: "forbidden", message: "You may not change this row." });
  });

  test("for a reason of the moment stays, and is sent again", async () => {
    for (const refusal of [{ status: "unknown" }, { status: "rate_limited" }, { status: "permission_denied", code: "not_joined" }, { status: "application", code: "unavailable" }] as const) {
      const row = openClient(server.url).row("Note", "n1");
      await row.ready;
      const before = row.doc;
      refuse(1, refusal);
      type(row, "body", "+");
      await until(row, isSynced);
      expect(row.doc).toBe(before);
    }
    expect(server.document(ROOM).toJSON()).toEqual({ row: { body: "good++++" } });
  });

  test("because the token has ended is sent again with the next token", async () => {
    const tokens = ["first", "second"];
    const row = openClient(server.url, { token: () => tokens.shift() ?? "second" }).row("Note", "n1");
    await row.ready;
    server.received.length = 0;
    refuse(1, { status: "permission_denied", code: "unauthorized", message: "expired" });
    type(row, "body", "+");
    await until(row, () => row.status.kind === "connecting");
    await until(row, isSynced);
    expect(server.document(ROOM).toJSON()).toEqual({ row: { body: "good+" } });
    expect(server.received.flatMap((frame) => (frame.type === "join" && frame.magic === "%LOR" ? [new TextDecoder().decode(frame.auth)] : []))).toEqual(["second"]);
  });

  test("is for the server to refuse: who was a reader at the join may write by now", async () => {
    server.permission = "read";
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    type(row, "body", "!");
    await until(row, isSynced);
    expect(server.document(ROOM).toJSON()).toEqual({ row: { body: "good!" } });
  });
});

describe("a refused room", () => {
  test("says why, and its promise rejects", async () => {
    server.judgeJoin = () => ({ type: "join_error", failure: { kind: "application", code: "unknown_entity" }, message: "There is no entity Note." });
    const row = openClient(server.url).row("Note", "n1");
    await expect(row.ready).rejects.toMatchObject({ name: "CorellaError", code: "unknown_entity", message: "There is no entity Note." });
    expect(row.status).toEqual({ kind: "refused", code: "unknown_entity", message: "There is no entity Note." });
  });

  test("for a reason of the moment is tried again", async () => {
    const failures = ["unknown", "application"] as const;
    let asked = 0;
    server.judgeJoin = (frame) => {
      const kind = frame.magic === "%LOR" ? failures[asked++] : undefined;
      return kind && { type: "join_error", failure: kind === "unknown" ? { kind } : { kind, code: "unavailable" }, message: "later" };
    };
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    expect(asked).toBe(3);
  });

  test("is tried once more with another token", async () => {
    const tokens = ["old", "new"];
    server.judgeJoin = (frame) =>
      new TextDecoder().decode(frame.auth) === "old" ? { type: "join_error", failure: { kind: "auth_failed" }, message: "expired" } : undefined;
    // The first answer serves the connection, the next one the refusal.
    const row = openClient(server.url, { token: () => tokens.shift() ?? "new" }).row("Note", "n1");
    await row.ready;
    await until(row, isSynced);
    expect(row.get("body")).toBe("good");
  });

  test("stays refused when the second token is no better", async () => {
    server.judgeJoin = () => ({ type: "join_error", failure: { kind: "auth_failed" }, message: "" });
    const row = openClient(server.url, { token: () => "bad" }).row("Note", "n1");
    await expect(row.ready).rejects.toMatchObject({ code: "unauthorized" });
    expect(server.received.filter((frame) => frame.magic === "%LOR" && frame.type === "join")).toHaveLength(2);
  });

  test("with a version that the server cannot read is joined without one", async () => {
    let asked = 0;
    server.judgeJoin = (frame) => {
      asked += frame.magic === "%LOR" ? 1 : 0;
      return frame.magic === "%LOR" && asked === 1 ? { type: "join_error", failure: { kind: "version_unknown", version: undefined }, message: "?" } : undefined;
    };
    const row = openClient(server.url).row("Note", "n1");
    row.set("pinned", true);
    await row.ready;
    await until(row, isSynced);
    expect(server.document(ROOM).toJSON()).toEqual({ row: { body: "good", pinned: true } });
  });

  test("after access has ended keeps the document and sends nothing more", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    server.send({ magic: "%LOR", room: ROOM, type: "room_error", failure: "evicted", message: "" });
    await until(row, () => row.status.kind === "refused");
    type(row, "body", "!");
    expect(row.status).toEqual({ kind: "refused", code: "evicted", message: "Access to this row has ended." });
    expect(server.updatesReceived(ROOM)).toEqual([]);
  });

  test("that the server wants joined again is", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    server.send({ magic: "%LOR", room: ROOM, type: "room_error", failure: "rejoin_suggested", message: "" });
    await until(row, () => row.status.kind === "connecting");
    await until(row, isSynced);
    expect(server.connectionCount).toBe(1);
  });
});

describe("a refused connection", () => {
  test("4401 asks for another token", async () => {
    let asked = 0;
    const refusals: (string | undefined)[] = [];
    const token = (refused?: string): string => {
      refusals.push(refused);
      return `token-${(asked += 1)}`;
    };
    const row = openClient(server.url, { token }).row("Note", "n1");
    await row.ready;
    const before = asked;
    const joined = server.received.length;
    server.drop(4401);
    await until(row, () => row.status.kind === "connecting");
    await until(row, isSynced);
    expect(asked).toBeGreaterThan(before);
    expect(refusals).toEqual([undefined, "token-1"]);
    const join = server.received.slice(joined).findLast((frame) => frame.type === "join");
    expect(join?.type === "join" && new TextDecoder().decode(join.auth)).toBe(`token-${asked}`);
  });

  test("1008 stops, until the application comes back by itself", async () => {
    const client = openClient(server.url);
    const row = client.row("Note", "n1");
    await row.ready;
    server.drop(1008, "blocked");
    await until(row, () => row.status.kind === "refused");
    expect(row.status).toEqual({ kind: "refused", code: "connection_refused", message: "blocked" });
    expect(client.status).toBe("offline");
    client.setOffline(false);
    await until(row, isSynced);
    expect(server.connectionCount).toBe(2);
  });
});

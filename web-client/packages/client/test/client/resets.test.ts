import { beforeEach, describe, expect, onTestFinished, test } from "vitest";

import type { RowHandle, RowRejection, RowReset } from "../../src/index.js";
import { isSynced, openClient, type, until } from "../support/clients.js";
import { FakeServer } from "../support/fake-server.js";

const ROOM = "Note/n1";

let server: FakeServer;

beforeEach(async () => {
  const started = await FakeServer.start();
  server = started;
  onTestFinished(() => started.stop());
  server.edit(ROOM, (doc) => {
    doc.getMap("row").set("title", "Plan");
    doc.getMap("row").ensureMergeableText("body").insert(0, "good");
  });
});

function edit(text: string): void {
  server.edit(ROOM, (doc) => doc.getMap("row").ensureMergeableText("body").insert(0, text));
}

function resetOf(row: RowHandle): Promise<RowReset> {
  return new Promise((resolve) => row.onReset(resolve));
}

/** A client that had the row, and was away while its history went. */
async function away(work: (row: RowHandle) => void): Promise<{ row: RowHandle; comeBack: () => void }> {
  const client = openClient(server.url);
  const row = client.row("Note", "n1");
  await row.ready;
  client.setOffline(true);
  work(row);
  edit("much ");
  edit("later ");
  server.trim(ROOM);
  return { row, comeBack: () => client.setOffline(false) };
}

describe("a copy that is too old", () => {
  test("is set aside, and what the server never got is handed over", async () => {
    const { row, comeBack } = await away((row) => {
      type(row, "body", " and mine");
      row.set("color", "red");
    });
    const before = row.doc;
    const order: string[] = [];
    row.onReplaced(() => order.push("replaced"));
    row.onReset(() => order.push("reset"));
    const reset = resetOf(row);
    comeBack();
    const { code, message, document, unsent } = await reset;
    expect([code, message]).toEqual(["history_trimmed", "Too old."]);
    expect(document).toBe(before);
    expect(document.toJSON()).toEqual({ row: { title: "Plan", body: "good and mine", color: "red" } });
    expect(unsent).toEqual({ fields: { body: "good and mine", color: "red" } });
    // The row is there afresh, and takes the edits again.
    expect(order).toEqual(["replaced", "reset"]);
    expect(row.doc).not.toBe(before);
    expect(row.get("body")).toBe("later much good");
    row.set("color", "red");
    await until(row, isSynced);
    expect(server.document(ROOM).toJSON()).toMatchObject({ row: { title: "Plan", body: "later much good", color: "red" } });
  });

  test("without edits of its own loses nothing", async () => {
    const { row, comeBack } = await away(() => {});
    const rejections: RowRejection[] = [];
    row.onRejected((rejection) => rejections.push(rejection));
    const reset = resetOf(row);
    comeBack();
    expect((await reset).unsent).toBeUndefined();
    expect(row.get("body")).toBe("later much good");
    await until(row, isSynced);
    expect(rejections).toEqual([]);
  });

  test("goes to those who listen for refused edits, where nobody listens for resets", async () => {
    const { row, comeBack } = await away((row) => type(row, "body", "!"));
    const rejected = new Promise<RowRejection>((resolve) => row.onRejected(resolve));
    comeBack();
    const { code, lost } = await rejected;
    expect([code, lost.toJSON()]).toEqual(["history_trimmed", { row: { title: "Plan", body: "good!" } }]);
  });

  test("is not dropped when its last user has closed it", async () => {
    const { row, comeBack } = await away((row) => type(row, "body", "!"));
    const reset = resetOf(row);
    row.close();
    comeBack();
    expect((await reset).unsent).toEqual({ fields: { body: "good!" } });
  });

  test("is told when the client ends before the row could be loaded", async () => {
    const client = openClient(server.url);
    const row = client.row("Note", "n1");
    await row.ready;
    client.setOffline(true);
    type(row, "body", "!");
    edit("later ");
    server.trim(ROOM);
    const judge = server.judgeJoin;
    let joins = 0;
    // The first join is refused as too old; the second is never answered with success.
    server.judgeJoin = (frame) => {
      if (frame.magic !== "%LOR") {
        return undefined;
      }
      joins += 1;
      return judge(frame) ?? { type: "join_error", failure: { kind: "unknown" }, message: "Not now." };
    };
    const reset = resetOf(row);
    client.setOffline(false);
    await server.until(() => joins >= 2);
    client.close();
    expect((await reset).unsent?.fields).toMatchObject({ body: "good!" });
  });
});

describe("an edit on top of history that went meanwhile", () => {
  test("resets the row with its reason", async () => {
    const client = openClient(server.url);
    const row = client.row("Note", "n1");
    await row.ready;
    type(row, "body", " stored");
    await until(row, isSynced);
    // The connection stays; the server's own later edit is what the shortened history starts with.
    server.judge = () => ({ status: "application", code: "history_trimmed", message: "It builds on what is gone." });
    const reset = resetOf(row);
    row.set("title", "Refused");
    const { code, message, unsent } = await reset;
    expect([code, message]).toEqual(["history_trimmed", "It builds on what is gone."]);
    expect(unsent).toEqual({ fields: { title: "Refused" } });
    expect(row.get("body")).toBe("good stored");
    expect(row.get("title")).toBe("Plan");
  });
});

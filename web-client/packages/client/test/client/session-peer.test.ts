import { beforeEach, expect, onTestFinished, test } from "vitest";

import { MemoryStorage } from "../../src/index.js";
import { isSynced, openClient, type, until } from "../support/clients.js";
import { FakeServer } from "../support/fake-server.js";

let server: FakeServer;

beforeEach(async () => {
  const started = await FakeServer.start();
  server = started;
  onTestFinished(() => started.stop());
});

test("a session writes all its rows under one peer id, from its first edit offline on", async () => {
  const client = openClient(server.url, { user: "ada", token: () => "ada" });
  client.setOffline(true);
  const rows = ["n1", "n2", "n3"].map((id) => client.row("Note", id));
  rows.forEach((row) => type(row, "body", "offline"));
  const own = rows[0]?.doc.peerIdStr;
  expect(rows.map((row) => row.doc.peerIdStr)).toEqual([own, own, own]);
  client.setOffline(false);
  await Promise.all(rows.map((row) => until(row, isSynced)));
  for (const id of ["n1", "n2", "n3"]) {
    expect([...server.document(`Note/${id}`).oplogVersion().toJSON().keys()]).toEqual([own]);
  }
});

test("a row that is opened again has a peer id of its own, and so has the next session", async () => {
  const storage = new MemoryStorage();
  const first = openClient(server.url, { user: "ada", token: () => "ada", storage });
  const row = first.row("Note", "n1");
  await row.ready;
  const own = row.doc.peerIdStr;
  type(row, "body", "once ");
  await until(row, (each) => isSynced(each) && each.saved);
  row.close();
  const again = first.row("Note", "n1");
  await again.ready;
  expect(again.doc.peerIdStr).not.toBe(own);
  type(again, "body", "twice");
  await until(again, isSynced);
  await first.close();

  const second = openClient(server.url, { user: "ada", token: () => "ada", storage }).row("Note", "n1");
  await second.ready;
  expect(second.get("body")).toBe("once twice");
  expect([own, again.doc.peerIdStr]).not.toContain(second.doc.peerIdStr);
});

test("where nobody says who the user is, each document has a peer id of its own", () => {
  const client = openClient(server.url);
  const [one, other] = [client.row("Note", "n1"), client.row("Note", "n2")];
  expect(one.doc.peerIdStr).not.toBe(other.doc.peerIdStr);
});

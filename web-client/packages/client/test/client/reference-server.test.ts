/** The same promises against the reference implementation of the protocol. */

import { createServer } from "node:net";
import { SimpleServer } from "loro-websocket/server";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";

import { isSynced, openClient, type, until } from "../support/clients.js";

let url: string;
let port: number;

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return address !== null && typeof address === "object" ? address.port : 0;
}

async function startServer(): Promise<SimpleServer> {
  const server = new SimpleServer({ port, host: "127.0.0.1" });
  await server.start();
  onTestFinished(() => server.stop());
  return server;
}

beforeEach(async () => {
  port = await freePort();
  url = `http://127.0.0.1:${port}`;
});

describe("against the reference server", () => {
  test("two clients converge", async () => {
    await startServer();
    const rows = [openClient(url).row("Note", "n1"), openClient(url).row("Note", "n1")] as const;
    await Promise.all(rows.map((row) => row.ready));
    type(rows[0], "body", "left ");
    type(rows[1], "body", "right ");
    rows[0].set("pinned", true);
    await Promise.all(rows.map((row) => until(row, () => String(row.get("body")).length === 11 && row.get("pinned") === true && isSynced(row))));
    expect(rows[0].doc.toJSON()).toEqual(rows[1].doc.toJSON());
  });

  test("a late joiner gets what was there", async () => {
    await startServer();
    const first = openClient(url).row("Note", "n1");
    await first.ready;
    type(first, "body", "before");
    await until(first, isSynced);
    const late = openClient(url).row("Note", "n1");
    await late.ready;
    expect(late.get("body")).toBe("before");
  });

  test("offline edits merge after the return", async () => {
    await startServer();
    const away = openClient(url);
    const row = away.row("Note", "n1");
    const other = openClient(url).row("Note", "n1");
    await Promise.all([row.ready, other.ready]);
    away.setOffline(true);
    type(row, "body", "away ");
    type(other, "body", "here ");
    await until(other, isSynced);
    away.setOffline(false);
    await Promise.all([row, other].map((each) => until(each, () => String(each.get("body")).length === 10 && isSynced(each))));
    expect(row.get("body")).toBe(other.get("body"));
  });

  test("a server that lost everything gets it back from a client", async () => {
    const first = await startServer();
    const row = openClient(url).row("Note", "n1");
    await row.ready;
    type(row, "body", "survives");
    await until(row, isSynced);
    await first.stop();
    await until(row, () => row.status.kind === "connecting");
    await startServer();
    await until(row, isSynced);
    const other = openClient(url).row("Note", "n1");
    await other.ready;
    expect(other.get("body")).toBe("survives");
  });

  test("an update of a megabyte arrives in fragments", async () => {
    await startServer();
    const rows = [openClient(url).row("Note", "n1"), openClient(url).row("Note", "n1")] as const;
    await Promise.all(rows.map((row) => row.ready));
    const text = Array.from({ length: 1_000_000 }, (_, index) => String.fromCharCode(97 + ((index * 7919) % 26))).join("");
    rows[0].set("body", text);
    await Promise.all([until(rows[0], isSynced), until(rows[1], () => rows[1].get("body") !== undefined)]);
    expect(rows[1].get("body")).toBe(text);
  });

  test("presence is seen", async () => {
    await startServer();
    const rows = [openClient(url).row("Note", "n1"), openClient(url).row("Note", "n1")] as const;
    rows[0].presence.set(rows[0].presenceId, { name: "Ada" });
    await until(rows[1], () => rows[1].presence.get(rows[0].presenceId) !== undefined);
    rows[1].presence.set(rows[1].presenceId, { name: "Grace" });
    await until(rows[0], () => rows[0].presence.get(rows[1].presenceId) !== undefined);
    expect(rows[0].presence.getAllStates()).toEqual(rows[1].presence.getAllStates());
  });
});

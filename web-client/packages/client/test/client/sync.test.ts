import { EphemeralStore, type LoroDoc } from "loro-crdt";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";

import type { RowStatus } from "../../src/index.js";
import { newBatchId, type Frame } from "../../src/wire/index.js";
import { isSynced, openClient, type, until } from "../support/clients.js";
import { FakeServer } from "../support/fake-server.js";

const ROOM = "Note/n1";

let server: FakeServer;

beforeEach(async () => {
  const started = await FakeServer.start();
  server = started;
  onTestFinished(() => started.stop());
});

function serverText(field = "body"): unknown {
  const row = server.document(ROOM).getMap("row").toJSON() as Record<string, unknown>;
  return row[field];
}

function updateFrames(): readonly Frame[] {
  return server.updatesReceived(ROOM);
}

describe("two clients", () => {
  test("see each other's edits", async () => {
    const [one, other] = [openClient(server.url).row("Note", "n1"), openClient(server.url).row("Note", "n1")];
    await Promise.all([one.ready, other.ready]);
    type(one, "body", "from one. ");
    one.set("pinned", true);
    type(other, "body", "from other. ");
    const complete = (row: typeof one): boolean => String(row.get("body")).length === "from one. from other. ".length && row.get("pinned") === true;
    await Promise.all([until(one, complete), until(other, complete)]);
    expect(one.doc.toJSON()).toEqual(other.doc.toJSON());
  });

  test("keep both sides of a text field that they create at once while apart", async () => {
    const clients = [openClient(server.url), openClient(server.url)] as const;
    const rows = [clients[0].row("Note", "n1"), clients[1].row("Note", "n1")] as const;
    await Promise.all(rows.map((row) => row.ready));
    clients.forEach((client) => client.setOffline(true));
    type(rows[0], "title", "left");
    type(rows[1], "title", "right");
    clients.forEach((client) => client.setOffline(false));
    await Promise.all(rows.map((row) => until(row, () => String(row.get("title")).length === 9 && isSynced(row))));
    expect(rows[0].get("title")).toBe(rows[1].get("title"));
    expect(String(serverText("title"))).toContain("left");
    expect(String(serverText("title"))).toContain("right");
  });

  test("merge after one of them was away", async () => {
    const away = openClient(server.url);
    const row = away.row("Note", "n1");
    const other = openClient(server.url).row("Note", "n1");
    await Promise.all([row.ready, other.ready]);
    type(row, "body", "together ");
    await until(other, () => other.get("body") === "together ");
    away.setOffline(true);
    expect(row.status).toEqual({ kind: "offline" });
    type(row, "body", "offline ");
    type(other, "body", "online ");
    await until(other, isSynced);
    away.setOffline(false);
    await until(row, () => isSynced(row) && String(row.get("body")).includes("online"));
    await until(other, () => other.get("body") === row.get("body"));
    expect(String(serverText())).toBe(row.get("body"));
  });
});

describe("what is sent", () => {
  test("all commits of one tick leave as one batch", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    for (let index = 0; index < 20; index += 1) {
      type(row, "body", "x");
    }
    await until(row, isSynced);
    expect(updateFrames()).toHaveLength(1);
    expect(serverText()).toBe("x".repeat(20));
  });

  test("nothing, when the server has everything already", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    type(row, "body", "a");
    await until(row, isSynced);
    server.drop();
    await until(row, () => row.status.kind === "connecting");
    await until(row, isSynced);
    type(row, "body", "b");
    await until(row, isSynced);
    // One batch for each edit, none for the return.
    expect(updateFrames()).toHaveLength(2);
  });

  test("edits made before the first connection", async () => {
    await server.stop();
    const row = openClient(server.url).row("Note", "n1");
    type(row, "body", "early");
    await server.listen();
    await row.ready;
    await until(row, isSynced);
    expect(serverText()).toBe("early");
  });

  test("an uncommitted edit is not taken for known when an update arrives in between", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    row.text("body").insert(0, "uncommitted");
    server.edit(ROOM, (doc) => doc.getMap("row").set("color", "red"));
    await until(row, () => row.get("color") === "red");
    await until(row, isSynced);
    expect(serverText()).toBe("uncommitted");
  });

  test("a large update travels in fragments, and so does the backfill of a late joiner", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    const text = Array.from({ length: 1_000_000 }, (_, index) => String.fromCharCode(97 + ((index * 7919) % 26))).join("");
    row.set("body", text);
    await until(row, isSynced);
    expect(updateFrames().map((frame) => frame.type)).toEqual(["fragment_header"]);
    expect(serverText()).toBe(text);
    const late = openClient(server.url).row("Note", "n1");
    await late.ready;
    expect(late.get("body")).toBe(text);
  });

  test("very many operations leave in pieces that build on each other, whoever made them", async () => {
    const client = openClient(server.url);
    const row = client.row("Note", "n1");
    await row.ready;
    client.setOffline(true);
    // Two hands in turn, so that neither's operations make sense without the other's.
    const other = row.doc.fork();
    for (let turn = 0; turn < 6; turn += 1) {
      const hand = turn % 2 === 0 ? row.doc : other;
      hand.getMap("row").ensureMergeableText("body").insert(0, "x".repeat(30_000));
      hand.commit();
      other.import(row.doc.export({ mode: "update", from: other.oplogVersion() }));
      row.doc.import(other.export({ mode: "update", from: row.doc.oplogVersion() }));
    }
    let largest = 0;
    server.judge = (_, updates) => {
      const doc = server.document(ROOM).fork();
      const before = doc.opCount();
      const missing = doc.importBatch([...updates]).pending;
      largest = Math.max(largest, doc.opCount() - before);
      return missing === null ? undefined : { status: "unknown", code: "missing_dependencies" };
    };
    client.setOffline(false);
    type(row, "title", "!");
    await until(row, isSynced);
    expect(String(serverText())).toHaveLength(180_000);
    expect(updateFrames()).toHaveLength(4);
    expect(largest).toBe(50_000);
  });

  test("many edits on a slow server gather instead of piling up", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    server.heldAcks = [];
    for (let index = 0; index < 40; index += 1) {
      type(row, "body", "x");
      await Promise.resolve();
    }
    await server.until(() => updateFrames().length === 16);
    server.releaseAcks();
    await until(row, isSynced);
    expect(updateFrames().length).toBe(17);
    expect(serverText()).toBe("x".repeat(40));
  });

  test("the token goes with each join", async () => {
    const row = openClient(server.url, { token: async () => "secret" }).row("Note", "n1");
    row.presence.set(row.presenceId, "here");
    await row.ready;
    await server.until(() => server.received.filter((frame) => frame.type === "join").length === 2);
    for (const frame of server.received) {
      if (frame.type === "join") {
        expect(new TextDecoder().decode(frame.auth)).toBe("secret");
      }
    }
  });
});

describe("status", () => {
  test("goes from connecting over pending to synced, and to offline by the switch", async () => {
    const client = openClient(server.url);
    const row = client.row("Note", "n1");
    const seen: RowStatus[] = [row.status];
    row.onStatus((status) => seen.push(status));
    await row.ready;
    await until(row, isSynced);
    server.heldAcks = [];
    type(row, "body", "a");
    await server.until(() => updateFrames().length === 1);
    type(row, "body", "b");
    await server.until(() => updateFrames().length === 2);
    expect(row.status).toEqual({ kind: "pending", count: 2 });
    server.releaseAcks();
    await until(row, isSynced);
    client.setOffline(true);
    expect(seen.map((status) => (status.kind === "pending" ? `pending ${status.count}` : status.kind))).toEqual([
      "connecting",
      "synced",
      "pending 1",
      "pending 2",
      "pending 1",
      "synced",
      "offline",
    ]);
    expect(client.status).toBe("offline");
  });

  test("of the client follows the connection", async () => {
    const client = openClient(server.url);
    expect(client.status).toBe("connecting");
    await new Promise<void>((resolve) => client.onStatus((status) => status === "online" && resolve()));
    server.drop(1012);
    await new Promise<void>((resolve) => client.onStatus((status) => status === "connecting" && resolve()));
    await new Promise<void>((resolve) => client.onStatus((status) => status === "online" && resolve()));
    expect(server.connectionCount).toBe(2);
  });

  test("an edit that was never acknowledged is pending again after the connection broke, and arrives once", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    server.heldAcks = [];
    type(row, "body", "once");
    await server.until(() => updateFrames().length === 1);
    server.heldAcks = undefined;
    server.drop();
    await until(row, () => row.status.kind === "connecting");
    await until(row, isSynced);
    expect(serverText()).toBe("once");
    expect(updateFrames()).toHaveLength(1);
  });
});

describe("changes", () => {
  test("name their fields and their side", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    const seen: unknown[] = [];
    row.onChange((change) => seen.push(change));
    type(row, "body", "a");
    row.set("pinned", true);
    server.edit(ROOM, (doc) => doc.getMap("row").set("color", "red"));
    await until(row, () => row.get("color") === "red");
    expect(seen).toEqual([
      { by: "local", fields: ["body"] },
      { by: "local", fields: ["body"] },
      { by: "local", fields: ["pinned"] },
      { by: "remote", fields: ["color"] },
    ]);
  });
});

describe("values", () => {
  test("are read as plain data", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    row.set("position", 1.5);
    row.text("title").insert(0, "hello");
    row.map("body").ensureMergeableList("children").push("a");
    row.fields.ensureMergeableCounter("views").increment(3);
    row.doc.commit();
    expect(["position", "title", "body", "views", "absent"].map((field) => row.get(field))).toEqual([1.5, "hello", { children: ["a"] }, 3, undefined]);
  });
});

describe("presence", () => {
  test("is seen by others, and gone when the row is closed", async () => {
    const [one, other] = [openClient(server.url).row("Note", "n1"), openClient(server.url).row("Note", "n1")];
    await Promise.all([one.ready, other.ready]);
    one.presence.set(one.presenceId, { name: "Ada" });
    await until(other, () => other.presence.get(one.presenceId) !== undefined);
    expect(other.presence.get(one.presenceId)).toEqual({ name: "Ada" });
    const id = one.presenceId;
    one.close();
    await until(other, () => other.presence.get(id) === undefined);
  });

  test("that was set before the connection is sent with it, and others' entries are not", async () => {
    const one = openClient(server.url).row("Note", "n1");
    one.presence.set(one.presenceId, 1);
    const other = openClient(server.url).row("Note", "n1");
    await until(other, () => other.presence.get(one.presenceId) === 1);
    server.received.length = 0;
    server.drop();
    other.presence.set(other.presenceId, 2);
    const sent = (): string[][] =>
      server.received.flatMap((frame) => {
        const store = new EphemeralStore();
        onTestFinished(() => store.destroy());
        if (frame.magic !== "%EPH" || frame.type !== "update") {
          return [];
        }
        frame.updates.forEach((update) => store.apply(update));
        return [store.keys()];
      });
    await server.until(() => sent().length === 2);
    expect(sent().flat().sort()).toEqual([one.presenceId, other.presenceId].sort());
    await until(one, () => one.presence.get(other.presenceId) === 2);
  });
});

describe("a row handle", () => {
  test("is the same for the same row, and leaves with its last user", async () => {
    const client = openClient(server.url);
    const row = client.row("Note", "n1");
    expect(client.row("Note", "n1")).toBe(row);
    await row.ready;
    row.close();
    type(row, "body", "still open");
    await until(row, isSynced);
    row.close();
    await server.until(() => server.received.filter((frame) => frame.type === "leave").length === 2);
    expect(client.row("Note", "n1")).not.toBe(row);
  });

  test("closed with unsaved edits stays until they are durable", async () => {
    const client = openClient(server.url);
    const row = client.row("Note", "n1");
    await row.ready;
    client.setOffline(true);
    type(row, "body", "last words");
    row.close();
    client.setOffline(false);
    await server.until(() => server.received.some((frame) => frame.magic === "%LOR" && frame.type === "leave"));
    expect(serverText()).toBe("last words");
  });

  test("refuses names that no row has", () => {
    const client = openClient(server.url);
    expect(() => client.row("Note", "")).toThrow("A row id is 1 to 64");
    expect(() => client.row("Note", "a/b")).toThrow("A row id is 1 to 64");
    expect(() => client.row("No te", "a")).toThrow("An entity's name");
    client.close();
    expect(() => client.row("Note", "a")).toThrow("Make a new one");
  });

  test("closed before it was loaded rejects its promise", async () => {
    await server.stop();
    const row = openClient(server.url).row("Note", "n1");
    row.close();
    await expect(row.ready).rejects.toMatchObject({ code: "row_closed" });
  });
});

describe("bad frames", () => {
  test("unknown kinds are passed over", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    server.sendRaw(Uint8Array.from([0x25, 0x59, 0x4a, 0x53, 1, 0x72, 7]));
    server.sendRaw(Uint8Array.from([0x25, 0x4c, 0x4f, 0x52, 1, 0x72, 0x55]));
    server.edit(ROOM, (doc) => doc.getMap("row").set("color", "red"));
    await until(row, () => row.get("color") === "red");
    expect(server.connectionCount).toBe(1);
  });

  test("corrupt ones cost the connection and nothing else", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    type(row, "body", "kept");
    server.sendRaw(Uint8Array.from([0x25, 0x4c, 0x4f, 0x52, 9]));
    await server.until(() => server.connectionCount === 2);
    await until(row, isSynced);
    expect(row.get("body")).toBe("kept");
    expect(serverText()).toBe("kept");
  });

  test("an update that does not decode makes the row join again", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    server.send({ magic: "%LOR", room: ROOM, type: "update", updates: [Uint8Array.of(1, 2, 3)], batch: newBatchId() });
    await server.until(() => server.received.filter((frame) => frame.magic === "%LOR" && frame.type === "join").length === 2);
    await until(row, isSynced);
    expect(server.connectionCount).toBe(1);
    expect(server.received.some((frame) => frame.type === "ack" && frame.status === "invalid_update")).toBe(true);
  });

  test("an update with a gap before it is made good by joining again", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    const doc = server.document(ROOM);
    doc.getMap("row").set("color", "red");
    doc.commit();
    // Only the second of two edits is relayed.
    server.edit(ROOM, () => doc.getMap("row").set("pinned", true));
    await until(row, () => row.get("color") === "red" && row.get("pinned") === true && isSynced(row));
  });

  test("a document whose updates never decode is fetched anew", async () => {
    const row = openClient(server.url).row("Note", "n1");
    await row.ready;
    type(row, "body", "unbothered");
    await until(row, isSynced);
    const before = row.doc;
    let joins = 0;
    server.judgeJoin = (frame) => {
      joins += frame.magic === "%LOR" ? 1 : 0;
      return undefined;
    };
    const replaced = new Promise<LoroDoc>((resolve) => row.onReplaced(resolve));
    for (let round = 1; round <= 3; round += 1) {
      server.send({ magic: "%LOR", room: ROOM, type: "update", updates: [Uint8Array.of(1, 2, 3)], batch: newBatchId() });
      await server.until(() => joins === round);
    }
    expect(await replaced).toBe(row.doc);
    expect(row.doc).not.toBe(before);
    await until(row, isSynced);
    expect(row.get("body")).toBe("unbothered");
  });
});

import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";

import { MemoryStorage, type MutationOutcome } from "../../src/index.js";
import { openClient } from "../support/clients.js";
import { FakeServer } from "../support/fake-server.js";

let server: FakeServer;

beforeEach(async () => {
  const started = await FakeServer.start();
  server = started;
  onTestFinished(() => started.stop());
});

const patch = (id: string, title: string) => ({ entity: "Note", operation: "patch", id, fields: { title } }) as const;

describe("a mutation", () => {
  test("is answered, and its promise is kept", async () => {
    const client = openClient(server.url);
    const inserted = client.mutate({ entity: "Note", operation: "insert", fields: { title: "new" } });
    expect(inserted.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    expect(await inserted.result).toEqual({ id: inserted.id, row: { id: inserted.id, title: "new" }, seq: 1 });
    expect(await client.mutate({ entity: "Note", operation: "delete", id: inserted.id }).result).toMatchObject({ row: null });
    expect(server.mutations.map(({ op }) => op)).toEqual(["insert", "delete"]);
    await vi.waitFor(() => expect(client.sync.unsentMutations).toBe(0));
  });

  test("that was made offline is sent by the next page, which hears of its end", async () => {
    const storage = new MemoryStorage();
    await server.stop();
    const first = openClient(server.url, { storage });
    const { key, result, saved } = first.mutate(patch("n1", "offline"));
    await saved;
    await first.close();
    await expect(result).rejects.toMatchObject({ code: "client_closed" });

    await server.listen();
    const second = openClient(server.url, { storage });
    const outcome = await new Promise<MutationOutcome>((resolve) => second.onSettled(resolve));
    expect(outcome).toMatchObject({ kind: "done", key, result: { id: "n1" } });
    expect(server.mutations).toEqual([{ key, id: "n1", op: "patch", fields: { title: "offline" } }]);
  });

  test("whose answer was lost is repeated under its key, and made once", async () => {
    const client = openClient(server.url);
    let lost = 0;
    server.judgeMutation = (message) => {
      lost += 1;
      if (lost === 1) {
        // It was made, and nobody heard.
        server.mutations.push({ key: message.key, id: message.id, op: "patch", fields: {} });
        server.drop();
        return "silence";
      }
      return undefined;
    };
    const { result, key } = client.mutate(patch("n1", "once"));
    await result;
    expect(server.mutationsReceived).toBe(2);
    expect(new Set(server.mutations.map((each) => each.key))).toEqual(new Set([key]));
  });

  test("that is refused for good is handed back, and kept until it is dismissed", async () => {
    const storage = new MemoryStorage();
    const client = openClient(server.url, { storage });
    server.judgeMutation = ({ id }) => (id === "bad" ? { code: "unique_violation", message: "There is a note of this title." } : undefined);
    const bad = client.mutate(patch("bad", "twice"));
    const good = client.mutate(patch("good", "fine"));
    await expect(bad.result).rejects.toMatchObject({ name: "CorellaError", code: "unique_violation" });
    await good.result;
    await client.close();

    const again = openClient(server.url, { storage });
    const rejections = await again.rejections();
    expect(rejections).toMatchObject([{ code: "unique_violation", message: "There is a note of this title.", work: { kind: "mutation", key: bad.key, mutation: patch("bad", "twice") } }]);
    await again.dismiss(rejections[0]?.id ?? "");
    expect(await again.rejections()).toEqual([]);
  });

  test("that is refused for the moment is not overtaken by a later one of its row", async () => {
    const client = openClient(server.url);
    let refusals = 2;
    server.judgeMutation = ({ id }) => (id === "n1" && refusals-- > 0 ? { code: "unavailable", message: "Not now." } : undefined);
    await Promise.all([client.mutate(patch("n1", "first")), client.mutate(patch("n1", "second")), client.mutate(patch("n2", "other"))].map((each) => each.result));
    expect(server.mutations.filter(({ id }) => id === "n1").map(({ fields }) => fields)).toEqual([{ title: "first" }, { title: "second" }]);
  });

  test("waits for another token when its own has ended", async () => {
    const tokens = ["old", "new"];
    server.userOf = (token) => (token === "new" ? "ada" : undefined);
    const client = openClient(server.url, { token: () => tokens.shift() ?? "new" });
    await client.mutate(patch("n1", "x")).result;
    expect(server.mutations).toHaveLength(1);
  });

  test("that no frame can carry is refused at once", () => {
    expect(() => openClient(server.url).mutate(patch("n1", "x".repeat(300_000)))).toThrow("Write long texts through the row's document");
  });
});

test("fifty thousand unsent mutations arrive in order, a bounded number at a time, through an interruption", async () => {
  const storage = new MemoryStorage();
  await server.stop();
  const first = openClient(server.url, { storage });
  const many = 50_000;
  const saved = Array.from({ length: many }, (_, index) => first.mutate(patch(`n${index % 1000}`, String(index))).saved);
  await Promise.all(saved);
  await first.close();

  // The connection breaks in the middle.
  let interrupted = false;
  server.judgeMutation = () => {
    if (!interrupted && server.mutations.length === many / 2) {
      interrupted = true;
      server.drop();
      return "silence";
    }
    return undefined;
  };
  await server.listen();
  const second = openClient(server.url, { storage });
  let settled = 0;
  second.onSettled(() => (settled += 1));
  await vi.waitFor(() => expect(settled).toBeGreaterThanOrEqual(many), { timeout: 60_000, interval: 100 });
  expect(server.mutations).toHaveLength(many);
  const last = new Map<string, number>();
  for (const { id, fields } of server.mutations) {
    const value = Number((fields as { title: string }).title);
    expect(value).toBeGreaterThan(last.get(id) ?? -1);
    last.set(id, value);
  }
  // What was under way at the interruption was sent twice, and no more than that.
  expect(server.mutationsReceived - many).toBeLessThanOrEqual(65);
  expect(await storage.mutationCount()).toBe(0);
}, 90_000);

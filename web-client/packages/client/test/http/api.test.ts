import { expect, test } from "vitest";

import { CorellaClient, CorellaError } from "../../src/index.js";

interface Seen {
  readonly request: string;
  readonly headers: Record<string, string>;
  readonly body: unknown;
}

/** A client whose HTTP answers come from the test, and what it asked. */
function client(answers: readonly Response[], token?: () => string): { readonly client: CorellaClient; readonly seen: Seen[] } {
  const rest = [...answers];
  const seen: Seen[] = [];
  const fetchStub: typeof fetch = async (input, init) => {
    seen.push({
      request: `${init?.method} ${String(input)}`,
      headers: Object.fromEntries(new Headers(init?.headers)),
      body: typeof init?.body === "string" ? JSON.parse(init.body) : undefined,
    });
    const answer = rest.shift();
    if (answer === undefined) {
      throw new TypeError("fetch failed");
    }
    return answer;
  };
  return { client: new CorellaClient({ url: "http://host:4400/", fetch: fetchStub, ...(token === undefined ? {} : { token }) }), seen };
}

const json = (body: unknown, status = 200): Response => Response.json(body, { status });
const problem = (status: number, code: string, detail: string): Response =>
  new Response(JSON.stringify({ type: "about:blank", title: "t", status, detail, code }), { status, headers: { "content-type": "application/problem+json" } });

test("list asks with JSON parameters", async () => {
  const { client: corella, seen } = client([json({ rows: [{ id: "a", title: "x" }], cursor: "next", seq: 7 })]);
  const result = await corella.list("Note", { where: { pinned: true }, orderBy: { created: "desc" }, limit: 10, cursor: "c" });
  expect(result).toEqual({ rows: [{ id: "a", title: "x" }], cursor: "next", seq: 7 });
  const url = new URL(seen[0]?.request.split(" ")[1] ?? "");
  expect(url.pathname).toBe("/api/entities/Note");
  expect(Object.fromEntries(url.searchParams)).toEqual({ where: '{"pinned":true}', orderBy: '{"created":"desc"}', limit: "10", cursor: "c" });
});

test("each call has its method, path, body and headers", async () => {
  const answer = { id: "a b", row: { id: "a b" }, seq: 1 };
  const { client: corella, seen } = client([json(answer, 201), json(answer), json(answer), new Response(null, { status: 204 }), json(answer)], () => "secret");
  await corella.create("Note", { title: "x" }, { id: "a b", idempotencyKey: "k" });
  await corella.patch("Note", "a b", { title: "y" }, { idempotencyKey: "l" });
  await corella.get("Note", "a b");
  await corella.delete("Note", "a b");
  await corella.restore("Note", "a b");
  expect(seen.map(({ request, headers, body }) => [request, headers["idempotency-key"], body])).toEqual([
    ["POST http://host:4400/api/entities/Note", "k", { title: "x", id: "a b" }],
    ["PATCH http://host:4400/api/entities/Note/a%20b", "l", { title: "y" }],
    ["GET http://host:4400/api/entities/Note/a%20b", undefined, undefined],
    ["DELETE http://host:4400/api/entities/Note/a%20b", undefined, undefined],
    ["POST http://host:4400/api/entities/Note/a%20b/restore", undefined, undefined],
  ]);
  expect(seen.every(({ headers }) => headers["authorization"] === "Bearer secret")).toBe(true);
});

test("a problem becomes an error with its code, status and words", async () => {
  const { client: corella } = client([problem(404, "row_not_found", "There is no Note n9.")]);
  const error: unknown = await corella.get("Note", "n9").catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(CorellaError);
  expect(error).toMatchObject({ code: "row_not_found", status: 404, message: "There is no Note n9." });
});

test("an expired token is asked for again, once", async () => {
  const tokens = ["old", "new"];
  const { client: corella, seen } = client([problem(401, "unauthorized", "expired"), json({ rows: [], seq: 0 })], () => tokens.shift() ?? "new");
  expect(await corella.list("Note")).toEqual({ rows: [], seq: 0 });
  expect(seen.map(({ headers }) => headers["authorization"])).toEqual(["Bearer old", "Bearer new"]);
  const { client: stubborn, seen: asked } = client([problem(401, "unauthorized", "no")], () => "same");
  await expect(stubborn.list("Note")).rejects.toMatchObject({ code: "unauthorized" });
  expect(asked).toHaveLength(1);
});

test("no answer, a proxy's page and a strange answer say what to check", async () => {
  await expect(client([]).client.list("Note")).rejects.toMatchObject({ code: "unreachable", status: 0 });
  await expect(client([new Response("<html>", { status: 502 })]).client.list("Note")).rejects.toMatchObject({ code: "http_error", status: 502 });
  await expect(client([new Response("<html>")]).client.list("Note")).rejects.toMatchObject({ code: "unexpected_answer" });
  await expect(client([json([])]).client.list("Note")).rejects.toMatchObject({ code: "unexpected_answer" });
  await expect(client([json({ rows: [{}], seq: 1 })]).client.list("Note")).rejects.toMatchObject({ code: "unexpected_answer" });
  const { client: broken } = client([], () => {
    throw new Error("no session");
  });
  await expect(broken.list("Note")).rejects.toMatchObject({ code: "token_failed" });
});

test("addresses that cannot be are refused at once", () => {
  for (const url of ["", "localhost:4400", "ftp://host", "/api"]) {
    expect(() => new CorellaClient({ url })).toThrow(CorellaError);
  }
});

test("without a WebSocket rows cannot be opened, and the HTTP API works", () => {
  const { client: corella } = client([]);
  if (typeof globalThis.WebSocket === "undefined") {
    expect(corella.status).toBe("offline");
    expect(() => corella.row("Note", "a")).toThrow("This platform has no WebSocket");
  }
  corella.close();
});

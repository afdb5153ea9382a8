import { afterEach, expect, test, vi } from "vitest";

import { Accounts } from "../../src/accounts/index.js";

afterEach(() => {
  vi.useRealTimers();
});

/** A server with one account, whose refresh tokens are good once. */
function server() {
  const asked: string[] = [];
  const state = { next: 1, refresh: "", ended: false };
  const grant = (): Response => {
    state.refresh = `r${state.next}`;
    const user = { id: "ada", email: "ada@example.com", roles: ["editor"], tenant: null, session: "s" };
    return Response.json({ accessToken: `a${state.next++}`, refreshToken: state.refresh, expiresIn: 900, user });
  };
  const refused = (): Response =>
    new Response(JSON.stringify({ code: "unauthorized", detail: "no" }), { status: 401, headers: { "content-type": "application/problem+json" } });
  const fetchStub: typeof fetch = async (input, init) => {
    const path = new URL(String(input)).pathname;
    asked.push(path);
    const body: unknown = JSON.parse(String(init?.body));
    const { password, refreshToken } = body as { password?: string; refreshToken?: string };
    await Promise.resolve();
    if (path === "/auth/sign-in") {
      return password === "right" ? grant() : refused();
    }
    if (path === "/auth/sign-out") {
      state.ended = true;
      return Response.json({ signedOut: true });
    }
    return refreshToken === state.refresh && !state.ended ? grant() : refused();
  };
  return { asked, state, fetchStub };
}

test("a token is asked for anew before it is over, once for all who ask", async () => {
  vi.useFakeTimers();
  const { asked, fetchStub } = server();
  const accounts = new Accounts({ url: "http://host:4400/", fetch: fetchStub });
  expect(await accounts.token()).toBeUndefined();
  await expect(accounts.signIn("ada@example.com", "wrong")).rejects.toMatchObject({ code: "unauthorized", status: 401 });
  expect(await accounts.signIn("ada@example.com", "right")).toMatchObject({ id: "ada", roles: ["editor"] });
  expect(await accounts.token()).toBe("a1");
  vi.advanceTimersByTime(880_000);
  expect(await Promise.all([accounts.token(), accounts.token(), accounts.token()])).toEqual(["a2", "a2", "a2"]);
  expect(asked.filter((path) => path === "/auth/refresh")).toHaveLength(1);
  expect(await accounts.token("a2")).toBe("a3");
  expect(await accounts.token("a2")).toBe("a3");
});

test("a session that has ended is forgotten", async () => {
  const { state, fetchStub } = server();
  const kept: { token: string | undefined } = { token: undefined };
  const store = { get: () => kept.token, set: (token: string | undefined) => void (kept.token = token) };
  const accounts = new Accounts({ url: "http://host:4400", fetch: fetchStub, store });
  await accounts.signIn("ada@example.com", "right");
  expect(kept.token).toBe("r1");
  const again = new Accounts({ url: "http://host:4400", fetch: fetchStub, store });
  expect(await again.token()).toBe("a2");
  state.ended = true;
  expect(await again.token("a2")).toBeUndefined();
  expect([kept.token, again.user]).toEqual([undefined, undefined]);
});

test("signing out is done here even when the server is away", async () => {
  const { fetchStub } = server();
  let isAway = false;
  const accounts = new Accounts({
    url: "http://host:4400",
    fetch: (input, init) => (isAway ? Promise.reject(new TypeError("fetch failed")) : fetchStub(input, init)),
  });
  await accounts.signIn("ada@example.com", "right");
  isAway = true;
  await expect(accounts.token("a1")).rejects.toMatchObject({ code: "unreachable" });
  await expect(accounts.signOut()).rejects.toMatchObject({ code: "unreachable" });
  expect(await accounts.token()).toBeUndefined();
});

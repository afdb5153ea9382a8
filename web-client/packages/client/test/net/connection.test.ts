/** The connection's behaviour in time, on a clock that the test moves. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { backoffMilliseconds } from "../../src/net/backoff.js";
import { Connection, type ConnectionOwner } from "../../src/net/connection.js";
import { WireError } from "../../src/wire/index.js";

/** A socket that does nothing until the test says so. */
class ScriptedSocket extends EventTarget {
  static readonly all: ScriptedSocket[] = [];
  readonly sent: unknown[] = [];
  binaryType = "blob";
  closed = false;

  constructor(readonly url: string) {
    super();
    ScriptedSocket.all.push(this);
  }

  send(data: unknown): void {
    this.sent.push(data);
  }

  close(): void {
    this.closed = true;
  }

  open(): void {
    this.dispatchEvent(new Event("open"));
  }

  say(data: unknown): void {
    this.dispatchEvent(new MessageEvent("message", { data }));
  }

  end(code: number, reason = ""): void {
    this.dispatchEvent(Object.assign(new Event("close"), { code, reason }));
  }
}

function last(): ScriptedSocket {
  const socket = ScriptedSocket.all.at(-1);
  if (socket === undefined) {
    throw new Error("no socket was opened");
  }
  return socket;
}

let log: string[];

function connect(handle: Partial<ConnectionOwner> = {}): Connection {
  const connection = new Connection("ws://host/ws", ScriptedSocket as unknown as typeof WebSocket, {
    statusChanged: (status) => log.push(status),
    opened: () => log.push("opened"),
    closed: (refusal) => log.push(refusal === undefined ? "closed" : `closed: ${refusal.message}`),
    tokenRefused: () => log.push("token refused"),
    binary: (bytes) => log.push(`${bytes.length} bytes`),
    text: (text) => log.push(text),
    ...handle,
  });
  connection.start();
  return connection;
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0);
  ScriptedSocket.all.length = 0;
  log = [];
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe("backoff", () => {
  test("doubles from half a second to fifteen, less a random part of one half", () => {
    expect([0, 1, 2, 3, 4, 5, 6, 1000].map((attempt) => backoffMilliseconds(attempt, { random: () => 0 }))).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
    expect(backoffMilliseconds(0, { random: () => 0.999_999 })).toBeCloseTo(250, 0);
  });

  test("grows while the server is away, and starts over after a message", () => {
    connect();
    const waits = [500, 1000, 2000];
    for (const [index, wait] of waits.entries()) {
      last().end(1006);
      vi.advanceTimersByTime(wait - 1);
      expect(ScriptedSocket.all).toHaveLength(index + 1);
      vi.advanceTimersByTime(1);
      expect(ScriptedSocket.all).toHaveLength(index + 2);
    }
    last().open();
    last().say("hello");
    last().end(1006);
    vi.advanceTimersByTime(500);
    expect(ScriptedSocket.all).toHaveLength(5);
  });
});

describe("keep-alive", () => {
  test("pings every 20 seconds, and any message is an answer", () => {
    connect();
    last().open();
    for (let index = 1; index <= 3; index += 1) {
      vi.advanceTimersByTime(20_000);
      expect(last().sent).toEqual(Array.from({ length: index }, () => "ping"));
      last().say(new ArrayBuffer(1));
    }
    expect(ScriptedSocket.all).toHaveLength(1);
  });

  test("a peer that says nothing for ten seconds after a ping is given up", () => {
    connect();
    last().open();
    vi.advanceTimersByTime(29_999);
    expect(last().closed).toBe(false);
    vi.advanceTimersByTime(1);
    expect(last().closed).toBe(true);
    expect(log.slice(-2)).toEqual(["closed", "connecting"]);
    vi.advanceTimersByTime(500);
    expect(ScriptedSocket.all).toHaveLength(2);
  });

  test("what an abandoned socket still says is not heard", () => {
    connect();
    const first = last();
    first.open();
    vi.advanceTimersByTime(30_500);
    last().open();
    const before = log.length;
    first.say("late");
    first.end(1008);
    expect(log).toHaveLength(before);
  });
});

describe("close codes", () => {
  test.each([1000, 1001, 1006, 1011, 1012, 1013])("%i comes back", (code) => {
    connect();
    last().open();
    last().end(code);
    vi.advanceTimersByTime(500);
    expect(ScriptedSocket.all).toHaveLength(2);
  });

  test.each([1008, 1009, 4400, 4403, 4499])("%i stays away", (code) => {
    const connection = connect();
    last().open();
    last().end(code, "no");
    vi.advanceTimersByTime(60_000);
    expect(ScriptedSocket.all).toHaveLength(1);
    expect(log.slice(-2)).toEqual(["closed: no", "offline"]);
    connection.start();
    expect(ScriptedSocket.all).toHaveLength(2);
  });

  test("4401 comes back after the token was refused", () => {
    connect();
    last().open();
    last().end(4401);
    expect(log.slice(-3)).toEqual(["token refused", "closed", "connecting"]);
    vi.advanceTimersByTime(500);
    expect(ScriptedSocket.all).toHaveLength(2);
  });
});

describe("errors in handlers", () => {
  test("an unreadable frame drops the connection and is not thrown", () => {
    connect({
      binary: () => {
        throw new WireError("malformed", "no frame");
      },
    });
    last().open();
    last().say(new ArrayBuffer(1));
    expect(last().closed).toBe(true);
    expect(log.slice(-2)).toEqual(["closed", "connecting"]);
  });
});

describe("the network", () => {
  test("that is down keeps the client offline, and its return brings it back at once", () => {
    const events = new EventTarget();
    vi.stubGlobal("addEventListener", events.addEventListener.bind(events));
    vi.stubGlobal("removeEventListener", events.removeEventListener.bind(events));
    vi.stubGlobal("navigator", { onLine: true });
    const connection = connect();
    last().open();
    vi.stubGlobal("navigator", { onLine: false });
    events.dispatchEvent(new Event("offline"));
    expect(log.slice(-2)).toEqual(["closed", "offline"]);
    vi.advanceTimersByTime(60_000);
    expect(ScriptedSocket.all).toHaveLength(1);
    vi.stubGlobal("navigator", { onLine: true });
    events.dispatchEvent(new Event("online"));
    expect(ScriptedSocket.all).toHaveLength(2);
    connection.close();
    events.dispatchEvent(new Event("online"));
    expect(ScriptedSocket.all).toHaveLength(2);
  });

  test("does not overrule the application's switch", () => {
    const connection = connect();
    last().open();
    connection.switchOff();
    vi.advanceTimersByTime(60_000);
    expect(ScriptedSocket.all).toHaveLength(1);
    expect(connection.status).toBe("offline");
    connection.start();
    expect(ScriptedSocket.all).toHaveLength(2);
  });
});

describe("a page", () => {
  /** A page whose visibility the test decides. */
  function page(): { readonly show: (state: "visible" | "hidden") => void } {
    const target = Object.assign(new EventTarget(), { visibilityState: "visible" });
    vi.stubGlobal("document", target);
    return {
      show: (state) => {
        target.visibilityState = state;
        target.dispatchEvent(new Event("visibilitychange"));
      },
    };
  }

  test("that nobody looks at waits longer, and comes back at once when somebody does", () => {
    const { show } = page();
    connect();
    show("hidden");
    for (let attempt = 0; attempt < 10; attempt += 1) {
      last().end(1006);
      vi.advanceTimersByTime(120_000);
    }
    const before = ScriptedSocket.all.length;
    last().end(1006);
    vi.advanceTimersByTime(119_999);
    expect(ScriptedSocket.all).toHaveLength(before);
    show("visible");
    expect(ScriptedSocket.all).toHaveLength(before + 1);
  });

  test("that wakes asks at once whether its connection has outlived the sleep", () => {
    const { show } = page();
    connect();
    last().open();
    show("hidden");
    show("visible");
    expect(last().sent).toEqual(["ping"]);
    vi.advanceTimersByTime(10_000);
    expect(last().closed).toBe(true);
  });
});

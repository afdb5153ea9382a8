/** The real server, started for a test and gone after it. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const project = resolve(import.meta.dirname, "../../..");
const binary = process.env["CORELLA_BIN"] ?? join(project, "target/debug/corella");

/** How long the server may take to begin to listen, or to end when it is asked to. */
const patienceMilliseconds = 20_000;

/** One of the examples, or the path of a file. */
export type Manifest = "board" | "history" | "kinds" | "notes" | "open" | `/${string}`;

interface Running {
  readonly process: ChildProcess;
  readonly port: number;
  /** The exit code, or the name of the signal that ended the process. */
  readonly ended: Promise<number | string>;
}

/** One data folder, and the server on it: it can be killed, and comes back on the same port. */
export class Server {
  readonly data: string;
  readonly #manifest: Manifest;
  #running: Running | undefined;
  #port = 0;
  #log = "";

  private constructor(manifest: Manifest, data: string) {
    this.#manifest = manifest;
    this.data = data;
  }

  /** Starts a server with an empty data folder on a port of its own. */
  static async start(manifest: Manifest): Promise<Server> {
    const server = new Server(manifest, await mkdtemp(join(tmpdir(), "corella-test-")));
    await server.restart();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get database(): string {
    return join(this.data, "corella.db");
  }

  /** What the server wrote to its log since it was first started. */
  get log(): string {
    return this.#log;
  }

  /** Starts the server again on its data folder: on its old port, or on another one where nobody looks for it. */
  async restart(where: "same port" | "other port" = "same port"): Promise<void> {
    const port = where === "same port" ? this.#port : 0;
    this.#running = await this.#spawn(port);
    this.#port ||= this.#running.port;
  }

  /** The address under which the present process listens. */
  get presentUrl(): string {
    return `http://127.0.0.1:${this.#running?.port ?? this.#port}`;
  }

  /** Ends the process and resolves when it is gone. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const running = this.#running;
    if (running === undefined) {
      return;
    }
    this.#running = undefined;
    running.process.kill(signal);
    const ended = await within(`the server ends after ${signal}`, running.ended, () => this.#log);
    const expected = signal === "SIGKILL" ? "SIGKILL" : 0;
    if (ended !== expected) {
      throw new Error(`The server should have ended with ${expected} after ${signal}, it ended with ${ended}. Its log:\n${this.#log}`);
    }
  }

  /** Ends the server in order and removes its data. */
  async stop(): Promise<void> {
    try {
      await this.end("SIGTERM");
    } finally {
      this.#running?.process.kill("SIGKILL");
      await rm(this.data, { recursive: true, force: true });
    }
  }

  /** A token from the development sign-in. */
  async token(user: string): Promise<string> {
    const answer = await fetch(`${this.presentUrl}/dev/token`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ user }),
    });
    const body: unknown = await answer.json();
    if (typeof body === "object" && body !== null && "token" in body && typeof body.token === "string") {
      return body.token;
    }
    throw new Error(`POST /dev/token should answer with a token, it answered ${answer.status} ${JSON.stringify(body)}.`);
  }

  async #spawn(port: number): Promise<Running> {
    const manifest = this.#manifest.includes("/") ? this.#manifest : join(project, `schema/examples/${this.#manifest}.json`);
    const child = spawn(binary, ["dev", "--manifest", manifest, "--data", this.data, "--listen", `127.0.0.1:${port}`], {
      cwd: project,
      stdio: ["ignore", "pipe", "pipe"],
    });
    children.add(child);
    const ended = new Promise<number | string>((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (code, signal) => resolve(code ?? signal ?? "nothing"));
    });
    void ended.then(() => children.delete(child));
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#log += text;
    });
    const listening = new Promise<number>((resolve, reject) => {
      let output = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        const address = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(output);
        if (address !== null) {
          resolve(Number(address[1]));
        }
      });
      void ended.then((how) => reject(new Error(`${binary} ended with ${how} before it listened. Its log:\n${this.#log}`)));
    });
    return { process: child, port: await within("the server listens", listening, () => this.#log), ended };
  }
}

/** A test that is broken off leaves no server behind. */
const children = new Set<ChildProcess>();
process.on("exit", () => children.forEach((child) => child.kill("SIGKILL")));

async function within<Result>(what: string, promise: Promise<Result>, log: () => string): Promise<Result> {
  const ended = new AbortController();
  const late = once(AbortSignal.any([AbortSignal.timeout(patienceMilliseconds), ended.signal]), "abort").then(() => {
    throw new Error(`Waited ${patienceMilliseconds} ms until ${what}. Its log:\n${log()}`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    ended.abort();
  }
}

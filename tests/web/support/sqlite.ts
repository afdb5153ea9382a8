/** The database as a stranger reads it: with the `sqlite3` shell. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";

import type { Server } from "./server.js";

const run = promisify(execFile);

/** The lines of the answer, their columns parted by `|`. */
export async function sqlite(server: Server, query: string): Promise<string[]> {
  const { stdout } = await run("sqlite3", ["-readonly", server.database, query], { maxBuffer: 64 << 20 });
  return stdout.split("\n").slice(0, -1);
}

/** The rows of the answer, each as the shell's JSON has it. */
export async function sqliteJson(server: Server, query: string): Promise<Record<string, unknown>[]> {
  const { stdout } = await run("sqlite3", ["-readonly", "-json", server.database, query], { maxBuffer: 64 << 20 });
  return stdout === "" ? [] : (JSON.parse(stdout) as Record<string, unknown>[]);
}

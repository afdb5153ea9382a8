/** Tokens that the server's own sign-in would not give. */

import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { Server } from "./server.js";

/** A token with the server's signature that ended an hour ago. */
export async function endedToken(server: Server, user: string): Promise<string> {
  const secret = await readFile(join(server.data, "jwt.secret"));
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const content = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: user, exp: Math.floor(Date.now() / 1000) - 3600 })}`;
  return `${content}.${createHmac("sha256", secret).update(content).digest("base64url")}`;
}

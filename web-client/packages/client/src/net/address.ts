/** Where the server is: one address in, one for each protocol out. */

import { CorellaError } from "../public/error.js";

export interface ServerAddress {
  /** Without a slash at its end. */
  readonly http: string;
  readonly socket: string;
}

/** Reads `http(s)://` or `ws(s)://host[:port][/path]`. Throws {@link CorellaError} for anything else. */
export function parseAddress(text: string): ServerAddress {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw new CorellaError("invalid_url", `The client's url should look like http://localhost:4400, it is "${text}".`, { cause });
  }
  const secure = url.protocol === "https:" || url.protocol === "wss:";
  if (!secure && url.protocol !== "http:" && url.protocol !== "ws:") {
    throw new CorellaError("invalid_url", `The client's url should begin with http:// or https://, it is "${text}".`);
  }
  const place = `${url.host}${url.pathname.replace(/\/+$/, "")}`;
  return {
    http: `${secure ? "https" : "http"}://${place}`,
    socket: `${secure ? "wss" : "ws"}://${place}/ws`,
  };
}

/** `@corella/client/live`: queries whose answers the server keeps true. */

import { engineOf } from "../client.js";
import type { CorellaClient } from "../client.js";
import { LiveHub } from "./hub.js";
import type { LiveQuery, Query } from "./types.js";

export type * from "./types.js";

/**
 * Follows a query. Equal queries of all tabs share one subscription and one answer, which is kept on this device; call `close`
 * when it is no longer needed.
 */
export function live(client: CorellaClient, query: Query): LiveQuery {
  return hubOf(client).open(query);
}

function hubOf(client: CorellaClient): LiveHub {
  return engineOf(client).extended((host) => new LiveHub(host));
}

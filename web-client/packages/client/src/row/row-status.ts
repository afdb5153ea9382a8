/** How a row stands against the server, in the words of the application. */

import type { ClientStatus, RowStatus } from "../public/types.js";
import { unreachable } from "../util/unreachable.js";
import type { RowSync } from "./row-sync.js";

export function statusOf(sync: RowSync | undefined, connection: ClientStatus): RowStatus {
  if (sync === undefined) {
    return { kind: connection === "offline" ? "offline" : "connecting" };
  }
  if (sync.refusal !== undefined) {
    return { kind: "refused", code: sync.refusal.code, message: sync.refusal.message };
  }
  switch (sync.phase) {
    case "away":
      return { kind: connection === "offline" ? "offline" : "connecting" };
    case "joining":
    case "catching_up":
    case "shut_out":
      return { kind: "connecting" };
    case "live": {
      const count = sync.unconfirmedCount;
      return count === 0 ? { kind: "synced" } : { kind: "pending", count };
    }
    default:
      return unreachable(sync.phase);
  }
}

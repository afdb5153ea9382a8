/** What to do about a server that says no. */

import { unreachable } from "../util/unreachable.js";
import type { AckStatus, JoinFailure, RoomFailure } from "../wire/index.js";
import { HISTORY_TRIMMED } from "./reset.js";
import type { RefusalDetail } from "./room.js";

/** The code of a document that somebody else has filled. */
export const ALREADY_SEEDED = "already_seeded";

/**
 * What mends it, from the least to the most:
 *
 * - `resend`: the room stands; what is not acknowledged is sent again after a while.
 * - `retry`: the room is joined again after a while, and the version vectors say what is missing.
 * - `renew`: the same with another token.
 * - `rebuild`: the row is fetched anew, and the unsent edits are merged into it.
 * - `reset`: the row is fetched anew, and the application hears what could not be merged.
 * - `final`: the same would be refused again.
 */
export type Remedy = "resend" | "retry" | "renew" | "rebuild" | "reset" | "final";

export interface Refusal extends RefusalDetail {
  readonly remedy: Remedy;
}

type Refused = Exclude<AckStatus, "ok">;

/** The status alone, as a server that sends no control messages leaves it. */
const BY_STATUS: Readonly<Record<Refused, Refusal>> = {
  unknown: { remedy: "retry", code: "internal", message: "The server could not store this edit." },
  rate_limited: { remedy: "resend", code: "rate_limited", message: "Edits come faster than the server accepts them." },
  fragment_timeout: { remedy: "resend", code: "fragment_timeout", message: "A large edit did not reach the server in time." },
  permission_denied: { remedy: "final", code: "forbidden", message: "You may not change this row." },
  invalid_update: { remedy: "final", code: "invalid_update", message: "The server cannot apply this edit." },
  too_large: { remedy: "final", code: "too_large", message: "This edit is larger than the server accepts." },
  application: { remedy: "final", code: "refused", message: "The server refused this edit." },
};

/** Codes that speak of the moment, not of the edit or the room. */
const OF_THE_MOMENT: ReadonlySet<string> = new Set([
  "internal",
  "missing_dependencies",
  "not_joined",
  "shutting_down",
  "storage_full",
  "unavailable",
  "unknown_outcome",
]);

/** What mends a refusal with this code; `otherwise` for codes that speak of the work itself. */
export function remedyFor(code: string, otherwise: Remedy): Remedy {
  switch (code) {
    case "unauthorized":
      return "renew";
    case "fragment_timeout":
    case "rate_limited":
      return "resend";
    case "version_unknown":
    case ALREADY_SEEDED:
      return "rebuild";
    case HISTORY_TRIMMED:
      return "reset";
  }
  return OF_THE_MOMENT.has(code) ? "retry" : otherwise;
}

/** Whether the server's words can turn this status into something milder, or are owed to the user. */
export function needsWords(status: AckStatus): boolean {
  return status !== "ok" && BY_STATUS[status].remedy === "final";
}

/** Reads a refused acknowledgement, with the server's own words for it if it sent any. */
export function readAckRefusal(status: Refused, words: RefusalDetail | undefined): Refusal {
  const plain = BY_STATUS[status];
  return words === undefined ? plain : { ...words, remedy: remedyFor(words.code, plain.remedy) };
}

/** Reads a refused join. */
export function readJoinRefusal(failure: JoinFailure, message: string, words: RefusalDetail | undefined): Refusal {
  switch (failure.kind) {
    case "auth_failed":
      return { remedy: "renew", ...(words ?? { code: "unauthorized", message: message || "The server does not accept the token." }) };
    case "version_unknown":
      return { remedy: "rebuild", ...(words ?? { code: "version_unknown", message: message || "The server cannot read the version." }) };
    case "application": {
      const code = failure.code || words?.code || "refused";
      return { remedy: remedyFor(code, "final"), code, message: message || words?.message || "The server refused the room." };
    }
    case "unknown":
      return { remedy: "retry", ...(words ?? { code: "join_failed", message: message || "The server could not open the room." }) };
    default:
      return unreachable(failure);
  }
}

/** Reads the end of a room that was open. */
export function readRoomRefusal(failure: RoomFailure, message: string, words: RefusalDetail | undefined): Refusal {
  switch (failure) {
    case "evicted":
      return { remedy: "final", ...(words ?? { code: "evicted", message: message || "Access to this row has ended." }) };
    case "rejoin_suggested":
    case "unknown":
      return { remedy: "retry", ...(words ?? { code: failure === "unknown" ? "room_failed" : failure, message: message || "The server closed the room." }) };
    default:
      return unreachable(failure);
  }
}

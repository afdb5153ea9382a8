/** A mutation as the control message that carries it. */

import type { StoredMutation } from "../storage/port.js";

/** The key is the reference too: an answer is known by it on any connection. */
export function textOfMutation({ key, entity, id, operation, fields }: StoredMutation): string {
  return JSON.stringify({ type: "mutate", ref: key, entity, id, op: operation, ...(fields === undefined ? {} : { fields }), key });
}

/** The peer id under which a tab writes, from its start to its end. */

import { LoroDoc, type PeerID } from "loro-crdt";

import type { RowKey } from "../storage/port.js";

/**
 * Gives the first document of each row in this session one and the same peer id.
 *
 * A server binds a peer id to its user when it first hears of it, and keeps a line for it: one for a session instead of one
 * for each document. A row that is opened again, or gets another document, has a peer id of its own: what was written under
 * the first one may not be in it, and two operations must never have one name.
 */
export class SessionPeer {
  readonly #id = new LoroDoc().peerIdStr;
  readonly #given = new Set<RowKey>();

  /** The peer id for a document of the row; `undefined` if it is to have its own. */
  give(key: RowKey): PeerID | undefined {
    if (this.#given.has(key)) {
      return undefined;
    }
    this.#given.add(key);
    return this.#id;
  }
}

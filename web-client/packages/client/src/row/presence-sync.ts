/** Keeps one row's presence in step with its room on the server. */

import { toBatch, newBatchId, type Payload, type RoomAddress } from "../wire/index.js";
import { Joiner } from "./joiner.js";
import type { RowPresence } from "./presence.js";
import type { Link, Room } from "./room.js";

/** More than this in one tick goes out as several frames. */
const TOGETHER_BYTES = 65_536;
const TOGETHER_UPDATES = 1_000;

const NO_VERSION = new Uint8Array(0);

/**
 * The `%EPH` room of a row.
 *
 * Only what this browser's tabs say of themselves is sent; a refusal leaves this client without presence and harms
 * nothing else.
 */
export class PresenceSync implements Room {
  readonly address: RoomAddress;
  readonly #presence: RowPresence;
  readonly #link: Link;
  readonly #joiner: Joiner;
  readonly #received: (update: Uint8Array) => void;
  #joined = false;
  #queue: Uint8Array[] = [];

  /** @param received hears what came from the server, after it was applied. */
  constructor(room: string, presence: RowPresence, link: Link, received: (update: Uint8Array) => void) {
    this.address = { magic: "%EPH", room };
    this.#presence = presence;
    this.#link = link;
    this.#received = received;
    this.#joiner = new Joiner(link, this.address);
  }

  /** Sends what a tab of this browser says of itself. */
  send(update: Uint8Array): void {
    if (!this.#joined) {
      return;
    }
    this.#queue.push(update);
    if (this.#queue.length === 1) {
      queueMicrotask(() => this.#flush());
    }
  }

  connected(): void {
    this.#joiner.reset();
    this.#join();
  }

  epochLearned(): void {}

  disconnected(): void {
    this.#joiner.reset();
    this.#joined = false;
  }

  receive(payload: Payload): void {
    switch (payload.type) {
      case "joined":
        if (this.#joiner.isAsked) {
          this.#joiner.answered();
          this.#enter();
        }
        return;
      case "join_error":
        this.#joined = false;
        this.#joiner.answered();
        if (payload.failure.kind === "auth_failed") {
          this.#joiner.joinRenewed(() => NO_VERSION, () => {});
        }
        return;
      case "room_error":
        this.#joined = false;
        if (payload.failure === "rejoin_suggested") {
          this.#join();
        }
        return;
      case "update":
        for (const update of payload.updates) {
          this.#presence.apply(update);
          this.#received(update);
        }
        return;
      case "ack":
      case "join":
      case "leave":
      case "fragment":
      case "fragment_header":
        return;
    }
  }

  batchLost(): void {}

  explain(): void {}

  /** Sends what is queued, and leaves the room. */
  leave(): void {
    this.#flush();
    if (this.#joined || this.#joiner.isAsked) {
      this.#link.send({ ...this.address, type: "leave" });
    }
    this.detach();
  }

  /** Stops without a word. */
  detach(): void {
    this.#joiner.reset();
    this.#joined = false;
  }

  #join(): void {
    this.#joiner.join(() => NO_VERSION, () => {});
  }

  #enter(): void {
    this.#joined = true;
    this.#queue = this.#presence.ofThisBrowser();
    this.#flush();
  }

  #flush(): void {
    const updates = this.#queue;
    this.#queue = [];
    if (!this.#joined || updates.length === 0) {
      return;
    }
    const bytes = updates.reduce((sum, update) => sum + update.length, 0);
    if (bytes <= TOGETHER_BYTES && updates.length <= TOGETHER_UPDATES) {
      this.#link.send({ ...this.address, type: "update", updates, batch: newBatchId() });
      return;
    }
    for (const update of updates) {
      for (const frame of toBatch(this.address, update).frames) {
        this.#link.send(frame);
      }
    }
  }
}

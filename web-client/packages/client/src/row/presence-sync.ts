/** Keeps one presence store in step with its room on the server. */

import type { EphemeralStore } from "loro-crdt";

import { toBatch, newBatchId, type Payload, type RoomAddress } from "../wire/index.js";
import { Joiner } from "./joiner.js";
import type { Link, Room } from "./room.js";

/** Entries older than this vanish from every store; own ones are renewed in half the time. */
export const PRESENCE_TIMEOUT_MILLISECONDS = 30_000;

/** More than this in one tick goes out as several frames. */
const TOGETHER_BYTES = 65_536;
const TOGETHER_UPDATES = 1_000;

const NO_VERSION = new Uint8Array(0);

/**
 * The `%EPH` room of a row.
 *
 * Only keys that were set here are sent; a refusal leaves this client without presence and harms nothing else.
 */
export class PresenceSync implements Room {
  readonly address: RoomAddress;
  readonly #store: EphemeralStore;
  readonly #link: Link;
  readonly #joiner: Joiner;
  readonly #ownKeys = new Set<string>();
  readonly #unsubscribe: readonly (() => void)[];
  readonly #renewal: ReturnType<typeof setInterval>;
  #joined = false;
  #queue: Uint8Array[] = [];

  constructor(room: string, store: EphemeralStore, link: Link) {
    this.address = { magic: "%EPH", room };
    this.#store = store;
    this.#link = link;
    this.#joiner = new Joiner(link, this.address);
    this.#unsubscribe = [
      store.subscribeLocalUpdates((update) => this.#queued(update)),
      store.subscribe((event) => {
        if (event.by === "local") {
          for (const key of [...event.added, ...event.updated]) {
            this.#ownKeys.add(key);
          }
          for (const key of event.removed) {
            this.#ownKeys.delete(key);
          }
        }
      }),
    ];
    this.#renewal = setInterval(() => this.#renew(), PRESENCE_TIMEOUT_MILLISECONDS / 2);
  }

  connected(): void {
    this.#joiner.reset();
    this.#join();
  }

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
        this.#apply(payload.updates);
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

  /** Takes back what was set here, tells the room, and leaves it. */
  leave(): void {
    for (const key of [...this.#ownKeys]) {
      this.#store.delete(key);
    }
    this.#flush();
    if (this.#joined || this.#joiner.isAsked) {
      this.#link.send({ ...this.address, type: "leave" });
    }
    this.#joiner.reset();
    this.#joined = false;
    clearInterval(this.#renewal);
    for (const unsubscribe of this.#unsubscribe) {
      unsubscribe();
    }
    this.#store.destroy();
  }

  #join(): void {
    this.#joiner.join(() => NO_VERSION, () => {});
  }

  #enter(): void {
    this.#joined = true;
    this.#queue = [...this.#ownKeys].map((key) => this.#store.encode(key));
    this.#flush();
  }

  #apply(updates: readonly Uint8Array[]): void {
    for (const update of updates) {
      try {
        this.#store.apply(update);
      } catch {
        // Presence heals by itself: the entry is sent again when it changes or is renewed.
      }
    }
  }

  #queued(update: Uint8Array): void {
    if (!this.#joined) {
      return;
    }
    this.#queue.push(update);
    if (this.#queue.length === 1) {
      queueMicrotask(() => this.#flush());
    }
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

  #renew(): void {
    for (const key of this.#ownKeys) {
      const value = this.#store.get(key);
      if (value !== undefined) {
        this.#store.set(key, value);
      }
    }
  }
}

/** Brings each frame to its room. */

import type { RefusalDetail, Room } from "./row/room.js";
import { Assembler, roomKey, type BatchId, type Frame } from "./wire/index.js";

/** The rooms of one client, and the half-received batches of its connection. */
export class Router {
  readonly #rooms = new Map<string, Room>();
  readonly #assembler = new Assembler((address) => this.#rooms.get(roomKey(address))?.batchLost());

  add(room: Room): void {
    this.#rooms.set(roomKey(room.address), room);
  }

  remove(room: Room): void {
    this.#rooms.delete(roomKey(room.address));
  }

  connected(): void {
    for (const room of [...this.#rooms.values()]) {
      room.connected();
    }
  }

  epochLearned(): void {
    for (const room of [...this.#rooms.values()]) {
      room.epochLearned();
    }
  }

  disconnected(refusal: RefusalDetail | undefined): void {
    this.#assembler.clear();
    for (const room of [...this.#rooms.values()]) {
      room.disconnected(refusal);
    }
  }

  /** Throws `WireError` when a batch's fragments contradict its header. */
  dispatch(frame: Frame): void {
    const room = this.#rooms.get(roomKey(frame));
    // A room that has just been left may still be spoken to.
    if (room === undefined) {
      return;
    }
    if (frame.type === "fragment_header") {
      this.#assembler.header(frame, frame.batch, frame.count, frame.totalBytes);
    } else if (frame.type === "fragment") {
      const update = this.#assembler.fragment(frame, frame.batch, frame.index, frame.chunk);
      if (update !== undefined) {
        room.receive({ type: "update", updates: [update], batch: frame.batch });
      }
    } else {
      room.receive(frame);
    }
  }

  /** Hands the server's words on a refusal to the document that they speak of. */
  explain(detail: RefusalDetail, room: string | undefined, batch: BatchId | undefined): void {
    if (room !== undefined) {
      this.#rooms.get(roomKey({ magic: "%LOR", room }))?.explain(detail, batch);
    } else if (batch !== undefined) {
      for (const candidate of this.#rooms.values()) {
        candidate.explain(detail, batch);
      }
    }
  }
}

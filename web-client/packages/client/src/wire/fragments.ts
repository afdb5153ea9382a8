/** Large batches: cut for sending, put together when they arrive. */

import { WireError } from "./error.js";
import type { ClientFrame } from "./encode.js";
import { newBatchId, roomKey, type BatchId, type RoomAddress } from "./frame.js";
import { FRAGMENT_BYTES, FRAGMENT_IDLE_MILLISECONDS, MAX_BATCH_BYTES, MAX_OPEN_BATCHES } from "./limits.js";

/** One batch, ready to send: one frame, or a header and its pieces. */
export interface OutgoingBatch {
  readonly batch: BatchId;
  readonly frames: readonly ClientFrame[];
}

/** Puts one update into as many frames as it needs. */
export function toBatch(address: RoomAddress, update: Uint8Array): OutgoingBatch {
  const batch = newBatchId();
  if (update.length <= FRAGMENT_BYTES) {
    return { batch, frames: [{ ...address, type: "update", updates: [update], batch }] };
  }
  const count = Math.ceil(update.length / FRAGMENT_BYTES);
  const frames: ClientFrame[] = [{ ...address, type: "fragment_header", batch, count, totalBytes: update.length }];
  for (let index = 0; index < count; index += 1) {
    const chunk = update.subarray(index * FRAGMENT_BYTES, (index + 1) * FRAGMENT_BYTES);
    frames.push({ ...address, type: "fragment", batch, index, chunk });
  }
  return { batch, frames };
}

interface OpenBatch {
  readonly address: RoomAddress;
  readonly batch: BatchId;
  readonly count: number;
  readonly totalBytes: number;
  readonly chunks: Map<number, Uint8Array>;
  receivedBytes: number;
  idle: ReturnType<typeof setTimeout>;
}

/** What the assembler tells its owner when a batch stays incomplete. */
export type BatchTimeout = (address: RoomAddress, batch: BatchId) => void;

/**
 * Half-received batches of one connection.
 *
 * Memory is taken for pieces that came, never for what a header promises.
 */
export class Assembler {
  readonly #open = new Map<string, OpenBatch>();
  readonly #onTimeout: BatchTimeout;

  constructor(onTimeout: BatchTimeout) {
    this.#onTimeout = onTimeout;
  }

  /** Begins a batch. A second header for the same batch begins it anew. */
  header(address: RoomAddress, batch: BatchId, count: number, totalBytes: number): void {
    const key = batchKey(address, batch);
    this.#drop(key);
    if (count === 0 || count > Math.max(totalBytes, 1)) {
      throw new WireError("malformed", `a batch has 1 or more fragments of 1 or more bytes, this one has ${count} for ${totalBytes} bytes`);
    }
    const promised = [...this.#open.values()].reduce((sum, open) => sum + open.totalBytes, totalBytes);
    if (this.#open.size >= MAX_OPEN_BATCHES || promised > MAX_BATCH_BYTES) {
      throw new WireError("malformed", `more than ${MAX_OPEN_BATCHES} batches or ${MAX_BATCH_BYTES} bytes are under way at once`);
    }
    this.#open.set(key, {
      address,
      batch,
      count,
      totalBytes,
      chunks: new Map(),
      receivedBytes: 0,
      idle: this.#watch(key),
    });
  }

  /**
   * Adds a piece; returns the whole update when it was the last one.
   *
   * A piece without a header is passed over: its batch has timed out before, and the room is joined again for it.
   */
  fragment(address: RoomAddress, batch: BatchId, index: number, chunk: Uint8Array): Uint8Array | undefined {
    const key = batchKey(address, batch);
    const open = this.#open.get(key);
    if (open === undefined) {
      return undefined;
    }
    clearTimeout(open.idle);
    const received = open.receivedBytes + chunk.length;
    if (index >= open.count || open.chunks.has(index) || received > open.totalBytes) {
      this.#open.delete(key);
      throw new WireError("malformed", `fragment ${index} does not fit into its batch of ${open.count} with ${open.totalBytes} bytes`);
    }
    open.chunks.set(index, chunk);
    open.receivedBytes = received;
    if (open.chunks.size < open.count) {
      open.idle = this.#watch(key);
      return undefined;
    }
    this.#open.delete(key);
    return join(open);
  }

  /** Forgets everything, as at the end of a connection. */
  clear(): void {
    for (const key of [...this.#open.keys()]) {
      this.#drop(key);
    }
  }

  #drop(key: string): void {
    const open = this.#open.get(key);
    if (open !== undefined) {
      clearTimeout(open.idle);
      this.#open.delete(key);
    }
  }

  #watch(key: string): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      const open = this.#open.get(key);
      if (open !== undefined) {
        this.#open.delete(key);
        this.#onTimeout(open.address, open.batch);
      }
    }, FRAGMENT_IDLE_MILLISECONDS);
  }
}

function join(open: OpenBatch): Uint8Array {
  if (open.receivedBytes !== open.totalBytes) {
    throw new WireError("malformed", `the batch should have ${open.totalBytes} bytes, its fragments have ${open.receivedBytes}`);
  }
  const whole = new Uint8Array(open.receivedBytes);
  let position = 0;
  for (let index = 0; index < open.count; index += 1) {
    const chunk = open.chunks.get(index);
    if (chunk === undefined) {
      throw new WireError("malformed", `fragment ${index} of ${open.count} is missing`);
    }
    whole.set(chunk, position);
    position += chunk.length;
  }
  return whole;
}

function batchKey(address: RoomAddress, batch: BatchId): string {
  return `${batch}${roomKey(address)}`;
}

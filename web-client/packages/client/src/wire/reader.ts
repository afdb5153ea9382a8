/** Reads numbers and byte strings from a frame without ever leaving it. */

import { WireError } from "./error.js";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** A cursor over the bytes of one frame. Every method throws only {@link WireError}. */
export class Reader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#position;
  }

  byte(): number {
    return this.take(1)[0] ?? 0;
  }

  /** A view of the next `length` bytes: nothing is copied or allocated for a length that is not there. */
  take(length: number): Uint8Array {
    if (length > this.remaining) {
      throw this.#malformed(`${length} bytes should follow, the frame has ${this.remaining} left`);
    }
    const view = this.#bytes.subarray(this.#position, this.#position + length);
    this.#position += length;
    return view;
  }

  /** An LEB128 number that fits in 32 bits. */
  number(): number {
    let value = 0;
    for (let index = 0; index < 5; index += 1) {
      const byte = this.byte();
      if (index === 4 && byte > 0x0f) {
        break;
      }
      // Multiplication instead of a shift: the fifth group would leave the signed 32-bit range.
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) {
        return value;
      }
    }
    throw this.#malformed("a number below 2^32 should end here");
  }

  bytes(): Uint8Array {
    return this.take(this.number());
  }

  text(maxBytes = Number.POSITIVE_INFINITY): string {
    const bytes = this.bytes();
    if (bytes.length > maxBytes) {
      throw this.#malformed(`a text of at most ${maxBytes} bytes should end here, it has ${bytes.length}`);
    }
    try {
      return utf8.decode(bytes);
    } catch {
      throw this.#malformed("a text in UTF-8 should end here");
    }
  }

  end(): void {
    if (this.remaining > 0) {
      throw this.#malformed(`the frame should end here, ${this.remaining} bytes follow`);
    }
  }

  /** The place says which part of the frame it is. */
  #malformed(expected: string): WireError {
    return new WireError("malformed", `at byte ${this.#position}: ${expected}`);
  }
}

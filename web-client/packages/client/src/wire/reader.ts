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

  byte(what: string): number {
    const value = this.#bytes[this.#position];
    if (value === undefined) {
      throw new WireError("malformed", `the frame ends where ${what} should be`);
    }
    this.#position += 1;
    return value;
  }

  /** A view of the next `length` bytes: nothing is copied or allocated for a length that is not there. */
  take(length: number, what: string): Uint8Array {
    if (length > this.remaining) {
      throw new WireError("malformed", `${what} should have ${length} bytes, the frame has ${this.remaining} left`);
    }
    const view = this.#bytes.subarray(this.#position, this.#position + length);
    this.#position += length;
    return view;
  }

  /** An LEB128 number that fits in 32 bits. */
  number(what: string): number {
    let value = 0;
    for (let index = 0; index < 5; index += 1) {
      const byte = this.byte(what);
      if (index === 4 && byte > 0x0f) {
        break;
      }
      // Multiplication instead of a shift: the fifth group would leave the signed 32-bit range.
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) {
        return value;
      }
    }
    throw new WireError("malformed", `${what} should be a number below 2^32`);
  }

  bytes(what: string): Uint8Array {
    return this.take(this.number(`the length of ${what}`), what);
  }

  text(what: string, maxBytes = Number.POSITIVE_INFINITY): string {
    const bytes = this.bytes(what);
    if (bytes.length > maxBytes) {
      throw new WireError("malformed", `${what} may have ${maxBytes} bytes, this has ${bytes.length}`);
    }
    try {
      return utf8.decode(bytes);
    } catch {
      throw new WireError("malformed", `${what} should be UTF-8`);
    }
  }

  end(what: string): void {
    if (this.remaining > 0) {
      throw new WireError("malformed", `${what} should end here, ${this.remaining} bytes follow`);
    }
  }
}

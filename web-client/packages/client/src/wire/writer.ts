/** Collects numbers and byte strings into one frame. */

/** Keeps the pieces and joins them once, so that a large chunk is copied one time only. */
export class Writer {
  readonly #pieces: Uint8Array[] = [];
  #length = 0;

  raw(bytes: Uint8Array): this {
    this.#pieces.push(bytes);
    this.#length += bytes.length;
    return this;
  }

  byte(value: number): this {
    return this.raw(Uint8Array.of(value));
  }

  /** LEB128, for numbers below 2^32. */
  number(value: number): this {
    const groups: number[] = [];
    let rest = value;
    while (rest >= 0x80) {
      groups.push((rest % 0x80) + 0x80);
      rest = Math.floor(rest / 0x80);
    }
    groups.push(rest);
    return this.raw(Uint8Array.from(groups));
  }

  bytes(bytes: Uint8Array): this {
    return this.number(bytes.length).raw(bytes);
  }

  get length(): number {
    return this.#length;
  }

  finish(): Uint8Array<ArrayBuffer> {
    const frame = new Uint8Array(this.#length);
    let position = 0;
    for (const piece of this.#pieces) {
      frame.set(piece, position);
      position += piece.length;
    }
    return frame;
  }
}

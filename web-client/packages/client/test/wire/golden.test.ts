/** The frames that every implementation in this repository reads and writes alike. */

import { readFileSync } from "node:fs";
import { MessageType } from "loro-protocol";
import { describe, expect, test } from "vitest";

import { fromHex, toHex } from "../../src/util/hex.js";
import { decode, parseControl, WireError } from "../../src/wire/index.js";
import { MAGICS } from "../../src/wire/codes.js";
import { toReference } from "../support/reference-codec.js";
import { encode } from "../support/server-frames.js";

interface Golden {
  readonly frames: readonly { readonly name: string; readonly hex: string; readonly frame: { readonly crdt: string } }[];
  readonly refused: readonly { readonly name: string; readonly hex: string }[];
}

interface GoldenControl {
  readonly server: readonly { readonly type: string; readonly [key: string]: unknown }[];
}

function read(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../../../../schema/golden/${name}`, import.meta.url), "utf8"));
}

const golden = read("frames.json") as Golden;
const control = read("control.json") as GoldenControl;

const typeNames = new Map<number, string>(Object.entries(MessageType).map(([name, number]) => [number, name]));

/** A message in the file's spelling: bytes and ids as hexadecimal text. */
function toGolden(message: object): unknown {
  const spell = (value: unknown): unknown => {
    if (value instanceof Uint8Array) {
      return toHex(value);
    }
    return Array.isArray(value) ? value.map(spell) : value;
  };
  return Object.fromEntries(
    Object.entries(message).map(([key, value]: [string, unknown]) => {
      if (key === "type") {
        return [key, typeNames.get(Number(value))];
      }
      const isId = key === "batchId" || key === "refId";
      return [key, isId ? String(value).slice(2) : spell(value)];
    }),
  );
}

function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  if (bytes === undefined) {
    throw new Error(`not hexadecimal: ${hex}`);
  }
  return bytes;
}

describe("golden frames", () => {
  test.each(golden.frames)("$name", ({ hex, frame }) => {
    const bytes = bytesOf(hex);
    if (!MAGICS.some((magic) => magic === frame.crdt)) {
      expect(() => decode(bytes)).toThrow(WireError);
      return;
    }
    const decoded = decode(bytes);
    expect(toGolden(toReference(decoded))).toEqual(frame);
    expect(toHex(encode(decoded))).toBe(hex);
  });

  test.each(golden.refused)("refused: $name", ({ hex }) => {
    expect(() => decode(bytesOf(hex))).toThrow(WireError);
  });
});

describe("golden control messages", () => {
  test.each(control.server)("from the server: %j", (message) => {
    const parsed = parseControl(JSON.stringify(message));
    switch (message.type) {
      case "error": {
        const { code, message: words, ref, room, batch, retryAfter } = message;
        expect(parsed).toEqual({ type: "error", code, message: words, ref, room, batch, retryAfterMilliseconds: Number(retryAfter ?? 0) * 1000 });
        return;
      }
      case "result":
        expect(parsed).toEqual(message);
        return;
      case "auth":
        expect(parsed).toEqual({ type: "auth", user: message.user });
        return;
      // What is about live queries is read where they are kept.
      case "snapshot":
      case "changes":
      case "reached":
        expect(parsed).toEqual({ type: "other", message });
        return;
      default:
        expect(parsed).toEqual(message.type === "hello" ? { type: "hello", can: message["can"] } : { type: "other" });
    }
  });
});

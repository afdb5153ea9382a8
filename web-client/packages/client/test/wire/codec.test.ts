import fc from "fast-check";
import { decode as referenceDecode, encode as referenceEncode } from "loro-protocol";
import { describe, expect, test } from "vitest";

import { fromHex, toHex } from "../../src/util/hex.js";
import { decode, MAX_FRAME_BYTES, WireError } from "../../src/wire/index.js";
import { toReference } from "../support/reference-codec.js";
import { anyFrame } from "./arbitrary.js";
import { encode } from "../support/server-frames.js";

/** What decoding makes of hexadecimal digits: the frame, or the error's kind and words. */
function check(hex: string): unknown {
  const bytes = fromHex(hex.replaceAll(" ", ""));
  if (bytes === undefined) {
    throw new Error(`not hexadecimal: ${hex}`);
  }
  return attempt(bytes);
}

function attempt(bytes: Uint8Array): unknown {
  try {
    return decode(bytes);
  } catch (error) {
    if (error instanceof WireError) {
      return `${error.kind}: ${error.message}`;
    }
    throw error;
  }
}

describe("frames", () => {
  test("come back as they went", () => {
    fc.assert(
      fc.property(anyFrame, (frame) => {
        expect(decode(encode(frame))).toEqual(frame);
      }),
    );
  });

  test("have the bytes that the reference codec gives them", () => {
    fc.assert(
      fc.property(anyFrame, (frame) => {
        // The reference leaves an empty application code out.
        fc.pre(!(frame.type === "join_error" && frame.failure.kind === "application" && frame.failure.code === ""));
        expect(toHex(encode(frame))).toBe(toHex(referenceEncode(toReference(frame))));
      }),
    );
  });

  test("are read by the reference codec", () => {
    fc.assert(
      fc.property(anyFrame, (frame) => {
        expect(referenceDecode(encode(frame))).toMatchObject(toReference(frame));
      }),
    );
  });

  test("stay within the limits when written", () => {
    const frame = { magic: "%LOR", type: "join", auth: new Uint8Array(0), version: new Uint8Array(0) } as const;
    expect(() => encode({ ...frame, room: "ü".repeat(65) })).toThrow("a room's name may have 128 bytes");
    expect(() => encode({ ...frame, room: "r", auth: new Uint8Array(MAX_FRAME_BYTES) })).toThrow("send it in fragments");
  });
});

describe("broken bytes", () => {
  test("a frame cut anywhere is an error, or a shorter frame that the protocol knows", () => {
    fc.assert(
      fc.property(anyFrame, (frame) => {
        const bytes = encode(frame);
        for (let length = 0; length < bytes.length; length += 1) {
          const result = attempt(bytes.subarray(0, length));
          // A join error may leave its last part out, so a cut before that part is a frame as well.
          const mayBeShorter = frame.type === "join_error";
          expect(typeof result === "string" || mayBeShorter).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });

  test("random bytes give a frame or a WireError", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void attempt(bytes)), { numRuns: 2000 });
  });

  test("random bytes after a good beginning give a frame or a WireError", () => {
    const start = fromHex("254c4f520172") ?? new Uint8Array(0);
    fc.assert(
      fc.property(fc.nat(9), fc.uint8Array({ maxLength: 100 }), (type, rest) => void attempt(Uint8Array.of(...start, type, ...rest))),
      { numRuns: 5000 },
    );
  });

  test("one changed byte gives a frame or a WireError", () => {
    fc.assert(
      fc.property(anyFrame, fc.nat(), fc.nat(255), (frame, position, value) => {
        const bytes = encode(frame);
        bytes[position % bytes.length] = value;
        attempt(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  test("says what was expected and what came", () => {
    expect(check("")).toMatchInlineSnapshot(`"malformed: at byte 0: 4 bytes should follow, the frame has 0 left"`);
    expect(check("25594a53 0172 07")).toMatchInlineSnapshot(`"unsupported: a room's kind is one of %LOR %EPH %EPS, this is %YJS"`);
    expect(check("254c4f52 02c328 07")).toMatchInlineSnapshot(`"malformed: at byte 7: a text in UTF-8 should end here"`);
    expect(check("254c4f52 8102" + "61".repeat(257) + "07")).toMatchInlineSnapshot(`"malformed: at byte 263: a text of at most 128 bytes should end here, it has 257"`);
    expect(check("254c4f52 0172 09")).toMatchInlineSnapshot(`"unsupported: no frame type has the number 9"`);
    expect(check("254c4f52 0172 07 00")).toMatchInlineSnapshot(`"malformed: at byte 7: the frame should end here, 1 bytes follow"`);
    expect(check("254c4f52 0172 01 056f776e6572 00 00")).toMatchInlineSnapshot(`"malformed: a permission is "read" or "write", this is "owner""`);
    expect(check("254c4f52 0172 08 0102")).toMatchInlineSnapshot(`"malformed: at byte 7: 8 bytes should follow, the frame has 2 left"`);
    expect(check("254c4f52 0172 00 ffffffffff01")).toMatchInlineSnapshot(`"malformed: at byte 12: a number below 2^32 should end here"`);
  });

  test("a count that was only claimed allocates nothing", () => {
    expect(check("254c4f52 0172 03 808080808020 0000000000000000")).toMatchInlineSnapshot(`"malformed: at byte 12: a number below 2^32 should end here"`);
    expect(check("254c4f52 0172 03 ffffffff0f 0000000000000000")).toMatchInlineSnapshot(`"malformed: the frame promises 4294967295 updates and has 8 bytes left"`);
  });

  test("codes of later versions are unknown ones", () => {
    expect(check("254c4f52 0172 08 0102030405060708 55")).toMatchObject({ type: "ack", status: "unknown" });
    expect(check("254c4f52 0172 06 55 026e6f")).toMatchObject({ type: "room_error", failure: "unknown" });
    expect(check("254c4f52 0172 02 55 026e6f")).toMatchObject({ type: "join_error", failure: { kind: "unknown" } });
  });

  test("a frame beyond the limit is not looked at", () => {
    expect(attempt(new Uint8Array(MAX_FRAME_BYTES + 1))).toBe("malformed: a frame may have 262144 bytes, this one has 262145");
  });
});

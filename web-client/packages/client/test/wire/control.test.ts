import fc from "fast-check";
import { expect, test } from "vitest";

import { parseControl } from "../../src/wire/index.js";

test("keep-alive frames are exactly these words", () => {
  expect(parseControl("ping")).toEqual({ type: "ping" });
  expect(parseControl("pong")).toEqual({ type: "pong" });
  expect(parseControl(" ping")).toEqual({ type: "other" });
});

test("an error names its code, and where it can its room and batch", () => {
  expect(parseControl('{"type":"error","code":"too_large","message":"no","room":"Note/a","batch":"0x00010203FCFDFEFF"}')).toEqual({
    type: "error",
    code: "too_large",
    message: "no",
    room: "Note/a",
    batch: "00010203fcfdfeff",
    retryAfterMilliseconds: 0,
  });
  expect(parseControl('{"type":"error","code":"rate_limited","message":"slow down","retryAfter":3}')).toMatchObject({ retryAfterMilliseconds: 3000 });
  expect(parseControl('{"type":"error","code":"internal","batch":7}')).toEqual({ type: "error", code: "internal", message: "internal", room: undefined, batch: undefined, retryAfterMilliseconds: 0 });
});

test("what this client does not know is passed over", () => {
  for (const text of ["", "{", "null", "[]", "7", '{"type":"later"}', '{"type":"error"}', '{"type":{}}']) {
    expect(parseControl(text).type).toBe("other");
  }
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseControl(text)));
});

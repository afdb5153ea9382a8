/** Random frames. */

import fc from "fast-check";

import { batchIdFromBytes, type Frame, type JoinFailure, type Payload } from "../../src/wire/index.js";
import { ACK_BYTES, MAGICS, ROOM_FAILURE_BYTES } from "../../src/wire/codes.js";

const names = <Name extends string>(table: Readonly<Record<Name, number>>): Name[] => Object.keys(table) as Name[];
const bytes = fc.uint8Array({ maxLength: 300 });
const batch = fc.uint8Array({ minLength: 8, maxLength: 8 }).map(batchIdFromBytes);
const message = fc.string({ unit: "grapheme", maxLength: 40 });

const failure: fc.Arbitrary<JoinFailure> = fc.oneof(
  fc.constant<JoinFailure>({ kind: "unknown" }),
  fc.constant<JoinFailure>({ kind: "auth_failed" }),
  fc.record({ kind: fc.constant("version_unknown" as const), version: fc.option(bytes, { nil: undefined }) }),
  fc.record({ kind: fc.constant("application" as const), code: fc.option(message, { nil: undefined }) }),
);

const payload: fc.Arbitrary<Payload> = fc.oneof(
  fc.record({ type: fc.constant("join" as const), auth: bytes, version: bytes }),
  fc.record({ type: fc.constant("joined" as const), permission: fc.constantFrom("read" as const, "write" as const), version: bytes, extra: bytes }),
  fc.record({ type: fc.constant("join_error" as const), failure, message }),
  fc.record({ type: fc.constant("update" as const), updates: fc.array(bytes, { maxLength: 5 }), batch }),
  fc
    .record({ type: fc.constant("fragment_header" as const), batch, count: fc.integer({ min: 1, max: 1000 }), totalBytes: fc.integer({ min: 1000, max: 2 ** 28 }) }),
  fc.record({ type: fc.constant("fragment" as const), batch, index: fc.nat(), chunk: bytes }),
  fc.record({ type: fc.constant("room_error" as const), failure: fc.constantFrom(...names(ROOM_FAILURE_BYTES)), message }),
  fc.record({ type: fc.constant("leave" as const) }),
  fc.record({ type: fc.constant("ack" as const), batch, status: fc.constantFrom(...names(ACK_BYTES)) }),
);

const address = fc.record({
  magic: fc.constantFrom(...MAGICS),
  room: fc.string({ unit: "grapheme", maxLength: 40 }).filter((room) => new TextEncoder().encode(room).length <= 128),
});

export const anyFrame: fc.Arbitrary<Frame> = fc.tuple(address, payload).map(([at, what]) => ({ ...at, ...what }));

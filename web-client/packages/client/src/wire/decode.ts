/** Bytes to frames. */

import { unreachable } from "../util/unreachable.js";
import { ACK_BYTES, byByte, JOIN_FAILURE_BYTES, MAGICS, ROOM_FAILURE_BYTES, TYPE_BYTES } from "./codes.js";
import { WireError } from "./error.js";
import { batchIdFromBytes, type BatchId, type Frame, type JoinFailure, type Magic, type Payload } from "./frame.js";
import { MAX_FRAME_BYTES, MAX_ROOM_BYTES } from "./limits.js";
import { Reader } from "./reader.js";

const types = byByte(TYPE_BYTES);
const joinFailures = byByte(JOIN_FAILURE_BYTES);
const roomFailures = byByte(ROOM_FAILURE_BYTES);
const ackStatuses = byByte(ACK_BYTES);

/**
 * Reads one frame.
 *
 * Byte strings in the result are views of `bytes`. Whatever the bytes are, this either returns a frame or throws
 * {@link WireError}, in time and memory bounded by their length.
 */
export function decode(bytes: Uint8Array): Frame {
  if (bytes.length > MAX_FRAME_BYTES) {
    throw new WireError("malformed", `a frame may have ${MAX_FRAME_BYTES} bytes, this one has ${bytes.length}`);
  }
  const reader = new Reader(bytes);
  const magic = readMagic(reader);
  const room = reader.text(MAX_ROOM_BYTES);
  const typeByte = reader.byte();
  const type = types.get(typeByte);
  if (type === undefined) {
    throw new WireError("unsupported", `no frame type has the number ${typeByte}`);
  }
  const payload = readPayload(reader, type);
  reader.end();
  return { magic, room, ...payload };
}

function readMagic(reader: Reader): Magic {
  const bytes = reader.take(4);
  const magic = MAGICS.find((candidate) => bytes.every((byte, index) => byte === candidate.charCodeAt(index)));
  if (magic === undefined) {
    throw new WireError("unsupported", `a room's kind is one of ${MAGICS.join(" ")}, this is ${String.fromCharCode(...bytes)}`);
  }
  return magic;
}

function readPayload(reader: Reader, type: Payload["type"]): Payload {
  switch (type) {
    case "join":
      return { type, auth: reader.bytes(), version: reader.bytes() };
    case "joined":
      return readJoined(reader);
    case "join_error":
      return readJoinError(reader);
    case "update":
      return readUpdate(reader);
    case "fragment_header":
      return {
        type,
        batch: readBatchId(reader),
        count: reader.number(),
        totalBytes: reader.number(),
      };
    case "fragment":
      return { type, batch: readBatchId(reader), index: reader.number(), chunk: reader.bytes() };
    case "room_error": {
      const failure = roomFailures.get(reader.byte()) ?? "unknown";
      return { type, failure, message: reader.text() };
    }
    case "leave":
      return { type };
    case "ack":
      return { type, batch: readBatchId(reader), status: ackStatuses.get(reader.byte()) ?? "unknown" };
    default:
      return unreachable(type);
  }
}

function readBatchId(reader: Reader): BatchId {
  return batchIdFromBytes(reader.take(8));
}

function readJoined(reader: Reader): Payload {
  const permission = reader.text();
  if (permission !== "read" && permission !== "write") {
    throw new WireError("malformed", `a permission is "read" or "write", this is "${permission}"`);
  }
  return { type: "joined", permission, version: reader.bytes(), extra: reader.bytes() };
}

function readJoinError(reader: Reader): Payload {
  const kind = joinFailures.get(reader.byte()) ?? "unknown";
  const message = reader.text();
  return { type: "join_error", failure: readJoinFailure(reader, kind), message };
}

function readJoinFailure(reader: Reader, kind: JoinFailure["kind"]): JoinFailure {
  switch (kind) {
    case "version_unknown":
      return { kind, version: reader.remaining > 0 ? reader.bytes() : undefined };
    case "application":
      return { kind, code: reader.remaining > 0 ? reader.text() : undefined };
    case "unknown":
    case "auth_failed":
      return { kind };
    default:
      return unreachable(kind);
  }
}

function readUpdate(reader: Reader): Payload {
  const count = reader.number();
  // Each update takes at least its length byte, so a count beyond the rest of the frame is a lie.
  if (count > reader.remaining) {
    throw new WireError("malformed", `the frame promises ${count} updates and has ${reader.remaining} bytes left`);
  }
  const updates: Uint8Array[] = [];
  for (let index = 0; index < count; index += 1) {
    updates.push(reader.bytes());
  }
  return { type: "update", updates, batch: readBatchId(reader) };
}

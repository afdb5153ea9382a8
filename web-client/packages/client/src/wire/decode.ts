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
  const room = reader.text("the room's name", MAX_ROOM_BYTES);
  const typeByte = reader.byte("the frame's type");
  const type = types.get(typeByte);
  if (type === undefined) {
    throw new WireError("unsupported", `no frame type has the number ${typeByte}`);
  }
  const payload = readPayload(reader, type);
  reader.end(`a frame of type ${type}`);
  return { magic, room, ...payload };
}

function readMagic(reader: Reader): Magic {
  const bytes = reader.take(4, "the room's kind");
  const magic = MAGICS.find((candidate) => bytes.every((byte, index) => byte === candidate.charCodeAt(index)));
  if (magic === undefined) {
    throw new WireError("unsupported", `a room's kind is one of ${MAGICS.join(" ")}, this is ${String.fromCharCode(...bytes)}`);
  }
  return magic;
}

function readPayload(reader: Reader, type: Payload["type"]): Payload {
  switch (type) {
    case "join":
      return { type, auth: reader.bytes("the credentials"), version: reader.bytes("the version") };
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
        count: reader.number("the number of fragments"),
        totalBytes: reader.number("the size of the batch"),
      };
    case "fragment":
      return { type, batch: readBatchId(reader), index: reader.number("the fragment's index"), chunk: reader.bytes("the fragment") };
    case "room_error": {
      const failure = roomFailures.get(reader.byte("the room error's code")) ?? "unknown";
      return { type, failure, message: reader.text("the message") };
    }
    case "leave":
      return { type };
    case "ack":
      return { type, batch: readBatchId(reader), status: ackStatuses.get(reader.byte("the status")) ?? "unknown" };
    default:
      return unreachable(type);
  }
}

function readBatchId(reader: Reader): BatchId {
  return batchIdFromBytes(reader.take(8, "the batch id"));
}

function readJoined(reader: Reader): Payload {
  const permission = reader.text("the permission");
  if (permission !== "read" && permission !== "write") {
    throw new WireError("malformed", `a permission is "read" or "write", this is "${permission}"`);
  }
  return { type: "joined", permission, version: reader.bytes("the version"), extra: reader.bytes("the extra data") };
}

function readJoinError(reader: Reader): Payload {
  const kind = joinFailures.get(reader.byte("the join error's code")) ?? "unknown";
  const message = reader.text("the message");
  return { type: "join_error", failure: readJoinFailure(reader, kind), message };
}

function readJoinFailure(reader: Reader, kind: JoinFailure["kind"]): JoinFailure {
  switch (kind) {
    case "version_unknown":
      return { kind, version: reader.remaining > 0 ? reader.bytes("the receiver's version") : undefined };
    case "application":
      return { kind, code: reader.remaining > 0 ? reader.text("the application's code") : undefined };
    case "unknown":
    case "auth_failed":
      return { kind };
    default:
      return unreachable(kind);
  }
}

function readUpdate(reader: Reader): Payload {
  const count = reader.number("the number of updates");
  // Each update takes at least its length byte, so a count beyond the rest of the frame is a lie.
  if (count > reader.remaining) {
    throw new WireError("malformed", `the frame promises ${count} updates and has ${reader.remaining} bytes left`);
  }
  const updates: Uint8Array[] = [];
  for (let index = 0; index < count; index += 1) {
    updates.push(reader.bytes("an update"));
  }
  return { type: "update", updates, batch: readBatchId(reader) };
}

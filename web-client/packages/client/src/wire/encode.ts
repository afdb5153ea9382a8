/** Frames to bytes. */

import { unreachable } from "../util/unreachable.js";
import { ACK_BYTES, JOIN_FAILURE_BYTES, ROOM_FAILURE_BYTES, TYPE_BYTES } from "./codes.js";
import { WireError } from "./error.js";
import { batchIdBytes, type Frame, type JoinFailure } from "./frame.js";
import { MAX_FRAME_BYTES, MAX_ROOM_BYTES } from "./limits.js";
import { Writer } from "./writer.js";

const utf8 = new TextEncoder();

/**
 * The bytes of one frame.
 *
 * Throws {@link WireError} when the room's name or the whole frame is longer than the protocol allows.
 */
export function encode(frame: Frame): Uint8Array<ArrayBuffer> {
  const room = utf8.encode(frame.room);
  if (room.length > MAX_ROOM_BYTES) {
    throw new WireError("malformed", `a room's name may have ${MAX_ROOM_BYTES} bytes, "${frame.room}" has ${room.length}`);
  }
  const writer = new Writer().raw(utf8.encode(frame.magic)).bytes(room).byte(TYPE_BYTES[frame.type]);
  writePayload(writer, frame);
  if (writer.length > MAX_FRAME_BYTES) {
    throw new WireError("malformed", `a frame may have ${MAX_FRAME_BYTES} bytes, this one has ${writer.length}: send it in fragments`);
  }
  return writer.finish();
}

function writePayload(writer: Writer, frame: Frame): void {
  switch (frame.type) {
    case "join":
      writer.bytes(frame.auth).bytes(frame.version);
      return;
    case "joined":
      writer.text(frame.permission).bytes(frame.version).bytes(frame.extra);
      return;
    case "join_error":
      writer.byte(JOIN_FAILURE_BYTES[frame.failure.kind]).text(frame.message);
      writeJoinFailureDetail(writer, frame.failure);
      return;
    case "update":
      writer.number(frame.updates.length);
      for (const update of frame.updates) {
        writer.bytes(update);
      }
      writer.raw(batchIdBytes(frame.batch));
      return;
    case "fragment_header":
      writer.raw(batchIdBytes(frame.batch)).number(frame.count).number(frame.totalBytes);
      return;
    case "fragment":
      writer.raw(batchIdBytes(frame.batch)).number(frame.index).bytes(frame.chunk);
      return;
    case "room_error":
      writer.byte(ROOM_FAILURE_BYTES[frame.failure]).text(frame.message);
      return;
    case "leave":
      return;
    case "ack":
      writer.raw(batchIdBytes(frame.batch)).byte(ACK_BYTES[frame.status]);
      return;
    default:
      unreachable(frame);
  }
}

function writeJoinFailureDetail(writer: Writer, failure: JoinFailure): void {
  switch (failure.kind) {
    case "version_unknown":
      if (failure.version !== undefined) {
        writer.bytes(failure.version);
      }
      return;
    case "application":
      if (failure.code !== undefined) {
        writer.text(failure.code);
      }
      return;
    case "unknown":
    case "auth_failed":
      return;
    default:
      unreachable(failure);
  }
}

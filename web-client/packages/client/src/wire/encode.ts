/** Frames to bytes. */

import { ACK_BYTES, TYPE_BYTES } from "./codes.js";
import { WireError } from "./error.js";
import { batchIdBytes, type Frame, type Payload, type RoomAddress } from "./frame.js";
import { MAX_FRAME_BYTES, MAX_ROOM_BYTES } from "./limits.js";
import { Writer } from "./writer.js";

const utf8 = new TextEncoder();

/** What only servers send. */
export type ServerPayload = Extract<Payload, { type: "joined" | "join_error" | "room_error" }>;

/** A frame that a client sends. */
export type ClientFrame = RoomAddress & Exclude<Payload, ServerPayload>;

/**
 * The bytes of one frame.
 *
 * Throws {@link WireError} when the room's name or the whole frame is longer than the protocol allows.
 */
export function encode(frame: ClientFrame): Uint8Array<ArrayBuffer> {
  return encodeWith(frame, (writer) => {
    switch (frame.type) {
      case "join":
        writer.bytes(frame.auth).bytes(frame.version);
        return;
      case "update":
        writer.number(frame.updates.length);
        frame.updates.forEach((update) => writer.bytes(update));
        writer.raw(batchIdBytes(frame.batch));
        return;
      case "fragment_header":
        writer.raw(batchIdBytes(frame.batch)).number(frame.count).number(frame.totalBytes);
        return;
      case "fragment":
        writer.raw(batchIdBytes(frame.batch)).number(frame.index).bytes(frame.chunk);
        return;
      case "ack":
        writer.raw(batchIdBytes(frame.batch)).byte(ACK_BYTES[frame.status]);
        return;
      case "leave":
        return;
    }
  });
}

/** The bytes of a frame whose payload somebody else writes: the tests' servers have kinds of their own. */
export function encodeWith(frame: Frame, writePayload: (writer: Writer) => void): Uint8Array<ArrayBuffer> {
  const room = utf8.encode(frame.room);
  if (room.length > MAX_ROOM_BYTES) {
    throw new WireError("malformed", `a room's name may have ${MAX_ROOM_BYTES} bytes, "${frame.room}" has ${room.length}`);
  }
  const writer = new Writer().raw(utf8.encode(frame.magic)).bytes(room).byte(TYPE_BYTES[frame.type]);
  writePayload(writer);
  if (writer.length > MAX_FRAME_BYTES) {
    throw new WireError("malformed", `a frame may have ${MAX_FRAME_BYTES} bytes, this one has ${writer.length}: send it in fragments`);
  }
  return writer.finish();
}

/** Frames to bytes, those that only servers send among them. */

import { JOIN_FAILURE_BYTES, ROOM_FAILURE_BYTES } from "../../src/wire/codes.js";
import { encode as encodeOfClient, encodeWith } from "../../src/wire/encode.js";
import type { Frame, JoinFailure } from "../../src/wire/frame.js";
import type { Writer } from "../../src/wire/writer.js";

/** The bytes of any frame. */
export function encode(frame: Frame): Uint8Array<ArrayBuffer> {
  switch (frame.type) {
    case "joined":
      return encodeWith(frame, (writer) => writer.bytes(new TextEncoder().encode(frame.permission)).bytes(frame.version).bytes(frame.extra));
    case "join_error":
      return encodeWith(frame, (writer) => {
        writer.byte(JOIN_FAILURE_BYTES[frame.failure.kind]).bytes(new TextEncoder().encode(frame.message));
        writeDetail(writer, frame.failure);
      });
    case "room_error":
      return encodeWith(frame, (writer) => writer.byte(ROOM_FAILURE_BYTES[frame.failure]).bytes(new TextEncoder().encode(frame.message)));
    case "join":
    case "update":
    case "fragment_header":
    case "fragment":
    case "ack":
    case "leave":
      return encodeOfClient(frame);
  }
}

function writeDetail(writer: Writer, failure: JoinFailure): void {
  if (failure.kind === "version_unknown" && failure.version !== undefined) {
    writer.bytes(failure.version);
  } else if (failure.kind === "application" && failure.code !== undefined) {
    writer.bytes(new TextEncoder().encode(failure.code));
  }
}

/** Our frames in the words of the reference codec. */

import { JoinErrorCode, type ProtocolMessage } from "loro-protocol";

import { unreachable } from "../../src/util/unreachable.js";
import { ACK_BYTES, JOIN_FAILURE_BYTES, ROOM_FAILURE_BYTES } from "../../src/wire/codes.js";
import type { Frame } from "../../src/wire/index.js";

type Coded<Type extends ProtocolMessage["type"], Key extends string> = Extract<ProtocolMessage, { type: Type }> extends { [key in Key]: infer Code } ? Code : never;

export function toReference(frame: Frame): ProtocolMessage {
  const base = { crdt: frame.magic, roomId: frame.room };
  switch (frame.type) {
    case "join":
      return { ...base, type: 0, auth: frame.auth, version: frame.version };
    case "joined":
      return { ...base, type: 1, permission: frame.permission, version: frame.version, extra: frame.extra };
    case "join_error": {
      const code = JOIN_FAILURE_BYTES[frame.failure.kind] as Coded<2, "code">;
      const message = { ...base, type: 2 as const, code, message: frame.message };
      if (frame.failure.kind === "version_unknown" && frame.failure.version !== undefined) {
        return { ...message, code: JoinErrorCode.VersionUnknown, receiverVersion: frame.failure.version };
      }
      if (frame.failure.kind === "application" && frame.failure.code !== undefined) {
        return { ...message, code: JoinErrorCode.AppError, appCode: frame.failure.code };
      }
      return message;
    }
    case "update":
      return { ...base, type: 3, updates: [...frame.updates], batchId: `0x${frame.batch}` };
    case "fragment_header":
      return { ...base, type: 4, batchId: `0x${frame.batch}`, fragmentCount: frame.count, totalSizeBytes: frame.totalBytes };
    case "fragment":
      return { ...base, type: 5, batchId: `0x${frame.batch}`, index: frame.index, fragment: frame.chunk };
    case "room_error":
      return { ...base, type: 6, code: ROOM_FAILURE_BYTES[frame.failure] as Coded<6, "code">, message: frame.message };
    case "leave":
      return { ...base, type: 7 };
    case "ack":
      return { ...base, type: 8, refId: `0x${frame.batch}`, status: ACK_BYTES[frame.status] as Coded<8, "status"> };
    default:
      return unreachable(frame);
  }
}

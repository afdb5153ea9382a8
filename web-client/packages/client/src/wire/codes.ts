/** The byte values behind the names in `frame.ts`. */

import type { AckStatus, JoinFailure, Magic, Payload, RoomFailure } from "./frame.js";

export const MAGICS: readonly Magic[] = ["%LOR", "%EPH", "%EPS"];

export const TYPE_BYTES: Readonly<Record<Payload["type"], number>> = {
  join: 0x00,
  joined: 0x01,
  join_error: 0x02,
  update: 0x03,
  fragment_header: 0x04,
  fragment: 0x05,
  room_error: 0x06,
  leave: 0x07,
  ack: 0x08,
};

export const JOIN_FAILURE_BYTES: Readonly<Record<JoinFailure["kind"], number>> = {
  unknown: 0x00,
  version_unknown: 0x01,
  auth_failed: 0x02,
  application: 0x7f,
};

export const ROOM_FAILURE_BYTES: Readonly<Record<RoomFailure, number>> = {
  rejoin_suggested: 0x01,
  evicted: 0x02,
  unknown: 0x7f,
};

export const ACK_BYTES: Readonly<Record<AckStatus, number>> = {
  ok: 0x00,
  unknown: 0x01,
  permission_denied: 0x03,
  invalid_update: 0x04,
  too_large: 0x05,
  rate_limited: 0x06,
  fragment_timeout: 0x07,
  application: 0x7f,
};

/** Turns a table of name → byte around. */
export function byByte<Name extends string>(table: Readonly<Record<Name, number>>): ReadonlyMap<number, Name> {
  return new Map((Object.entries(table) as [Name, number][]).map(([name, byte]) => [byte, name]));
}

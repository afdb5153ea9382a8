/** What passes over the sockets of the stock client, written down beside it; the client itself is as published. */

import { decodeImportBlobMeta, type PeerID } from "loro-crdt";
import { MessageType, type ProtocolMessage, tryDecode, UpdateStatusCode } from "loro-protocol";
import { WebSocket as NodeWebSocket } from "ws";

/** How far each peer's operations go. */
export type Reach = ReadonlyMap<PeerID, number>;

interface Batch {
  readonly room: string;
  /** Whole updates, or the fragments of one. */
  readonly parts: Uint8Array[];
  readonly isFragmented: boolean;
}

const sent = new Map<string, Batch>();
const acknowledged = new Map<string, Map<PeerID, number>>();
const received = new Map<string, number>();
const closeCodes: number[] = [];

export const journal = {
  /** The operations in this room that the server has acknowledged as durable. */
  acknowledged: (room: string): Reach => acknowledged.get(room) ?? new Map<PeerID, number>(),
  /** Bytes of document updates that came from the server in this room, to all clients of this test file together. */
  receivedBytes: (room: string): number => received.get(room) ?? 0,
  /** With what codes connections ended, in order. */
  closeCodes: (): readonly number[] => closeCodes,
};

class JournalSocket extends NodeWebSocket {
  constructor(...options: ConstructorParameters<typeof NodeWebSocket>) {
    super(...options);
    this.on("message", (data, isBinary) => {
      if (isBinary) {
        noteReceived(toBytes(data));
      }
    });
    this.on("close", (code) => closeCodes.push(code));
  }

  override send(data: unknown, ...rest: never[]): void {
    if (data instanceof Uint8Array) {
      noteSent(data);
    }
    super.send(data as Uint8Array, ...rest);
  }
}

// Node 20 has no WebSocket of its own, and the stock client looks for one in the global scope.
globalThis.WebSocket = JournalSocket as unknown as typeof WebSocket;

function noteSent(bytes: Uint8Array): void {
  const message = tryDecode(bytes);
  if (message?.type === MessageType.DocUpdate) {
    sent.set(message.batchId, { room: roomOf(message), parts: message.updates, isFragmented: false });
  } else if (message?.type === MessageType.DocUpdateFragmentHeader) {
    sent.set(message.batchId, { room: roomOf(message), parts: [], isFragmented: true });
  } else if (message?.type === MessageType.DocUpdateFragment) {
    sent.get(message.batchId)?.parts.push(message.fragment);
  }
}

function noteReceived(bytes: Uint8Array): void {
  const message = tryDecode(bytes);
  switch (message?.type) {
    case MessageType.DocUpdate:
      noteBytes(roomOf(message), message.updates.reduce((sum, update) => sum + update.length, 0));
      return;
    case MessageType.DocUpdateFragment:
      noteBytes(roomOf(message), message.fragment.length);
      return;
    case MessageType.Ack:
      noteAck(message.refId, message.status);
      return;
    default:
      return;
  }
}

function noteBytes(room: string, count: number): void {
  received.set(room, (received.get(room) ?? 0) + count);
}

function noteAck(batchId: string, status: UpdateStatusCode): void {
  const batch = sent.get(batchId);
  if (batch === undefined || status !== UpdateStatusCode.Ok || !batch.room.startsWith("%LOR")) {
    return;
  }
  const room = batch.room.slice("%LOR".length);
  const reach = acknowledged.get(room) ?? new Map<PeerID, number>();
  acknowledged.set(room, reach);
  for (const update of batch.isFragmented ? [Buffer.concat(batch.parts)] : batch.parts) {
    for (const [peer, end] of decodeImportBlobMeta(update, false).partialEndVersionVector.toJSON()) {
      reach.set(peer, Math.max(end, reach.get(peer) ?? 0));
    }
  }
}

function roomOf(message: ProtocolMessage): string {
  return `${message.crdt}${message.roomId}`;
}

function toBytes(data: Buffer | ArrayBuffer | Buffer[]): Uint8Array {
  return Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}

/** The stock client of the Loro Syncing Protocol, exactly as npm has it, and what tests want of it. */

import "./journal.js";
import "./loud.js";

import { isDeepStrictEqual } from "node:util";

import type { CrdtDocAdaptor } from "loro-adaptors";
import { LoroAdaptor, LoroEphemeralAdaptor } from "loro-adaptors/loro";
import { EphemeralStore, LoroDoc, type PeerID } from "loro-crdt";
import { LoroWebsocketClient, type LoroWebsocketClientRoom, type RoomJoinStatusValue } from "loro-websocket";
import { expect, onTestFinished } from "vitest";

import type { Reach } from "./journal.js";
import type { Server } from "./server.js";

export interface Refusal {
  readonly status: number;
  readonly reason: string | undefined;
}

/** One document room, joined by one client. */
export interface DocumentRoom {
  readonly doc: LoroDoc;
  readonly room: LoroWebsocketClientRoom;
  readonly refusals: readonly Refusal[];
  readonly statuses: readonly RoomJoinStatusValue[];
}

export interface PresenceRoom {
  readonly store: EphemeralStore;
  readonly room: LoroWebsocketClientRoom;
}

type Token = string | (() => Promise<string>) | undefined;

const utf8 = new TextEncoder();

/** A stock client with one connection, ended with the test. */
export class StockClient {
  readonly client: LoroWebsocketClient;
  readonly #token: Token;

  constructor(server: Server, token: Token) {
    this.#token = token;
    this.client = new LoroWebsocketClient({ url: `${server.presentUrl.replace("http", "ws")}/ws` });
    onTestFinished(() => this.client.destroy());
  }

  async document(room: string, doc = new LoroDoc()): Promise<DocumentRoom> {
    const refusals: Refusal[] = [];
    const statuses: RoomJoinStatusValue[] = [];
    const adaptor = new LoroAdaptor(doc, { onUpdateError: (_updates, status, reason) => refusals.push({ status, reason }) });
    const joined = await this.#join(room, adaptor, (status) => statuses.push(status));
    return { doc, room: joined, refusals, statuses };
  }

  async presence(room: string, store = new EphemeralStore(30_000)): Promise<PresenceRoom> {
    onTestFinished(() => store.destroy());
    return { store, room: await this.#join(room, new LoroEphemeralAdaptor(store), () => {}) };
  }

  #join(roomId: string, crdtAdaptor: CrdtDocAdaptor, onStatusChange: (status: RoomJoinStatusValue) => void): Promise<LoroWebsocketClientRoom> {
    const token = this.#token;
    const auth = typeof token === "function" ? async () => utf8.encode(await token()) : utf8.encode(token ?? "");
    return this.client.join({ roomId, crdtAdaptor, auth, onStatusChange });
  }
}

/** A client of this user, known by the auth bytes of its joins. */
export async function stockClient(server: Server, user: string): Promise<StockClient> {
  return new StockClient(server, await server.token(user));
}

/** The document of a new client that came, got all that the server has, and left. */
export async function lateJoiner(server: Server, room: string): Promise<LoroDoc> {
  const late = await stockClient(server, "late");
  const joined = await late.document(room);
  await joined.room.waitForReachingServerVersion();
  late.client.destroy();
  return joined.doc;
}

/** Waits until all documents have the same operations, then compares what they say. */
export async function converged(...docs: readonly LoroDoc[]): Promise<void> {
  const [first, ...others] = docs;
  if (first === undefined) {
    return;
  }
  await expect
    .poll(() => docs.map((doc) => doc.oplogVersion().toJSON()))
    .toSatisfy((versions: ReadonlyMap<PeerID, number>[]) => versions.every((version) => isDeepStrictEqual(version, versions[0])));
  for (const other of others) {
    expect(other.toJSON()).toEqual(first.toJSON());
  }
}

/** Which operations of `reach` the document lacks. */
export function missing(doc: LoroDoc, reach: Reach): string[] {
  const present = doc.oplogVersion();
  return [...reach].flatMap(([peer, end]) => {
    const found = present.get(peer) ?? 0;
    return found < end ? [`${peer}: ${found} of ${end}`] : [];
  });
}

/** A small server of the v1 protocol whose answers a test can bend. */

import { createServer, type Server } from "node:http";

import { EphemeralStore, LoroDoc, type VersionVector } from "loro-crdt";
import { WebSocketServer, type WebSocket } from "ws";

import { decodeVersion } from "../../src/row/versions.js";
import { Assembler, decode, roomKey, toBatch, type AckStatus, type BatchId, type Frame, type Payload, type RoomAddress } from "../../src/wire/index.js";
import { encode } from "./server-frames.js";

export interface Refusal {
  readonly status: AckStatus;
  readonly code?: string;
  readonly message?: string;
  /** Sends the words behind the acknowledgement instead of before it. */
  readonly wordsLast?: boolean;
}

interface Peer {
  readonly socket: WebSocket;
  readonly rooms: Set<string>;
  readonly assembler: Assembler;
}

/** Holds documents in memory. `received` is every binary frame from clients, in order. */
export class FakeServer {
  readonly documents = new Map<string, LoroDoc>();
  readonly received: Frame[] = [];
  readonly texts: string[] = [];
  connectionCount = 0;
  /** Said in the greeting, if it is set. */
  epoch: string | undefined;
  /** What the mutations did, in their order, each once. */
  readonly mutations: { readonly key: string; readonly id: string; readonly op: string; readonly fields: unknown }[] = [];
  /** The queries that stand on a connection, in the order in which they came; those that ended are not among them. */
  readonly subscriptions: { readonly ref: string; readonly query: unknown; readonly since: { readonly epoch: string; readonly seq: number; readonly ids: readonly string[] } | undefined }[] = [];
  /** Decides what a query is answered with; `undefined` says nothing. */
  answer: (subscription: FakeServer["subscriptions"][number]) => object | undefined = () => undefined;
  /** The seeds that came, each once, and what became of them. */
  readonly seeds: { readonly room: string; readonly accepted: boolean }[] = [];
  /** Batches that were announced as seeds. */
  readonly #seedBatches = new Set<string>();
  /** How many mutations came, repetitions included; how many were under way at most. */
  mutationsReceived = 0;
  /** Decides on a mutation; `undefined` accepts it. */
  judgeMutation: (message: { readonly id: string; readonly key: string }) => { readonly code: string; readonly message: string } | "silence" | undefined = () => undefined;
  /** Makes an accepted mutation somewhere, and says at which place in the order of changes. */
  mutated: ((message: { readonly entity: string; readonly id: string; readonly op: string; readonly fields?: unknown }) => number) | undefined;
  /** Whose tokens are accepted, and as whom. */
  userOf: (token: string) => string | undefined = (token) => token;
  /** Decides on a batch; `undefined` accepts it. */
  judge: (address: RoomAddress, updates: readonly Uint8Array[]) => Refusal | undefined = () => undefined;
  /** Answers a join in the server's stead; `undefined` leaves it to the server. */
  judgeJoin: (frame: RoomAddress & Extract<Payload, { type: "join" }>) => Payload | undefined = () => undefined;
  permission: "read" | "write" = "write";
  /** While set, acknowledgements pile up here instead of being sent. */
  heldAcks: (() => void)[] | undefined;
  readonly #presence = new Map<string, EphemeralStore>();
  readonly #peers = new Set<Peer>();
  readonly #done = new Set<string>();
  readonly #waiting: { readonly holds: () => boolean; readonly resolve: () => void }[] = [];
  #server: Server | undefined;
  #port = 0;

  static async start(): Promise<FakeServer> {
    const server = new FakeServer();
    await server.listen();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens, at the second time on the same port as at the first. */
  async listen(): Promise<void> {
    const server = createServer((_, response) => response.writeHead(426).end());
    this.#server = server;
    new WebSocketServer({ server }).on("connection", (socket) => this.#accept(socket));
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    const address = server.address();
    if (address !== null && typeof address === "object") {
      this.#port = address.port;
    }
  }

  async stop(): Promise<void> {
    this.drop();
    const server = this.#server;
    // A connection that fetch keeps for later would be waited for.
    server?.closeAllConnections();
    await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
    this.#server = undefined;
    this.#peers.clear();
    this.subscriptions.length = 0;
  }

  /** Ends all connections: with a close code, or without a word. */
  drop(code?: number, reason?: string): void {
    for (const peer of [...this.#peers]) {
      if (code === undefined) {
        peer.socket.terminate();
      } else {
        peer.socket.close(code, reason);
      }
    }
  }

  /** Resolves when `holds` is true, looked at after every frame and connection. */
  async until(holds: () => boolean): Promise<void> {
    if (!holds()) {
      await new Promise<void>((resolve) => this.#waiting.push({ holds, resolve }));
    }
  }

  document(room: string): LoroDoc {
    const known = this.documents.get(room);
    if (known !== undefined) {
      return known;
    }
    const doc = new LoroDoc();
    this.documents.set(room, doc);
    return doc;
  }

  /** An edit of the server's own, relayed to everybody in the room. */
  edit(room: string, change: (doc: LoroDoc) => void): void {
    const doc = this.document(room);
    const from = doc.oplogVersion();
    change(doc);
    doc.commit();
    this.#relay({ magic: "%LOR", room }, doc.export({ mode: "update", from }), undefined);
  }

  /** A control message to everybody. */
  say(message: object): void {
    for (const peer of this.#peers) {
      peer.socket.send(JSON.stringify(message));
    }
  }

  sendRaw(bytes: Uint8Array): void {
    for (const peer of this.#peers) {
      peer.socket.send(bytes);
    }
  }

  send(frame: Frame): void {
    this.sendRaw(encode(frame));
  }

  releaseAcks(): void {
    const held = this.heldAcks ?? [];
    this.heldAcks = undefined;
    for (const send of held) {
      send();
    }
  }

  updatesReceived(room: string): Frame[] {
    return this.received.filter((frame) => frame.magic === "%LOR" && frame.room === room && (frame.type === "update" || frame.type === "fragment_header"));
  }

  #accept(socket: WebSocket): void {
    this.connectionCount += 1;
    const peer: Peer = { socket, rooms: new Set(), assembler: new Assembler(() => {}) };
    this.#peers.add(peer);
    socket.on("close", () => this.#peers.delete(peer));
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) {
        // A copy: the library's buffer is shared with frames to come.
        this.#handle(peer, decode(Uint8Array.from(data)));
      } else {
        this.texts.push(data.toString());
        this.#hear(socket, data.toString());
      }
      this.#wake();
    });
    this.#wake();
  }

  #hear(socket: WebSocket, text: string): void {
    if (text === "ping") {
      socket.send("pong");
      return;
    }
    const message = JSON.parse(text) as { readonly type: string; readonly ref: string; readonly token: string };
    if (message.type === "hello") {
      socket.send(JSON.stringify({ type: "hello", server: "fake", epoch: this.epoch }));
    } else if (message.type === "auth") {
      const user = this.userOf(message.token);
      const answer = user === undefined ? { type: "error", code: "unauthorized", message: "The token is over." } : { type: "auth", user };
      socket.send(JSON.stringify({ ...answer, ref: message.ref }));
    } else if (message.type === "subscribe") {
      const subscription = message as unknown as FakeServer["subscriptions"][number];
      this.subscriptions.push(subscription);
      socket.on("close", () => this.#unsubscribe(subscription.ref));
      const answer = this.answer(subscription);
      if (answer !== undefined) {
        socket.send(JSON.stringify({ ref: subscription.ref, ...answer }));
      }
    } else if (message.type === "await" && this.mutated !== undefined) {
      socket.send(JSON.stringify({ ...message, type: "reached" }));
    } else if (message.type === "unsubscribe") {
      this.#unsubscribe(message.ref);
    } else if (message.type === "seed") {
      this.#seedBatches.add((JSON.parse(text) as { readonly batch: string }).batch);
    } else if (message.type === "mutate") {
      this.#mutate(socket, JSON.parse(text) as never);
    }
  }

  #unsubscribe(ref: string): void {
    const index = this.subscriptions.findIndex((each) => each.ref === ref);
    if (index >= 0) {
      this.subscriptions.splice(index, 1);
    }
    this.#wake();
  }

  #mutate(socket: WebSocket, message: { readonly ref: string; readonly key: string; readonly entity: string; readonly id: string; readonly op: string; readonly fields?: unknown }): void {
    this.mutationsReceived += 1;
    const refusal = this.judgeMutation(message);
    if (refusal === "silence") {
      return;
    }
    if (refusal !== undefined) {
      socket.send(JSON.stringify({ type: "error", ref: message.ref, ...refusal }));
      return;
    }
    const { key, id, op, fields } = message;
    let seq = this.mutations.length + 1;
    if (!this.#done.has(key)) {
      this.#done.add(key);
      this.mutations.push({ key, id, op, fields });
      seq = this.mutated?.(message) ?? seq;
    }
    socket.send(JSON.stringify({ type: "result", ref: message.ref, id, row: op === "delete" ? null : { id, ...(fields as object) }, seq }));
  }

  #wake(): void {
    for (const entry of [...this.#waiting]) {
      if (entry.holds()) {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        entry.resolve();
      }
    }
  }

  #handle(peer: Peer, frame: Frame): void {
    this.received.push(frame);
    const { magic, room } = frame;
    switch (frame.type) {
      case "join":
        this.#join(peer, frame);
        return;
      case "leave":
        peer.rooms.delete(roomKey(frame));
        return;
      case "update":
        this.#accepted(peer, { magic, room }, frame.updates, frame.batch);
        return;
      case "fragment_header":
        peer.assembler.header(frame, frame.batch, frame.count, frame.totalBytes);
        return;
      case "fragment": {
        const whole = peer.assembler.fragment(frame, frame.batch, frame.index, frame.chunk);
        if (whole !== undefined) {
          this.#accepted(peer, { magic, room }, [whole], frame.batch);
        }
        return;
      }
      default:
        return;
    }
  }

  #join(peer: Peer, frame: RoomAddress & Extract<Payload, { type: "join" }>): void {
    const { magic, room } = frame;
    const judged = this.judgeJoin(frame);
    if (judged !== undefined) {
      peer.socket.send(encode({ magic, room, ...judged }));
      return;
    }
    peer.rooms.add(roomKey(frame));
    const extra = new Uint8Array(0);
    if (magic === "%EPH") {
      peer.socket.send(encode({ magic, room, type: "joined", permission: "write", version: new Uint8Array(0), extra }));
      this.#sendBatch(peer, { magic, room }, this.#presenceOf(room).encodeAll());
      return;
    }
    const doc = this.document(room);
    const version = decodeVersion(frame.version);
    peer.socket.send(encode({ magic, room, type: "joined", permission: this.permission, version: doc.oplogVersion().encode(), extra }));
    const order = version.compare(doc.oplogVersion());
    if (order === undefined || order < 0) {
      const whole = version.length() === 0 && doc.isShallow();
      this.#sendBatch(peer, { magic, room }, doc.export(whole ? { mode: "snapshot" } : { mode: "update", from: version }));
    }
  }

  /** Lets go of the history of a document, and turns away whoever needs it. */
  trim(room: string): void {
    const doc = this.document(room);
    const trimmed = new LoroDoc();
    trimmed.import(doc.export({ mode: "shallow-snapshot", frontiers: doc.oplogFrontiers() }));
    this.documents.set(room, trimmed);
    const start = trimmed.shallowSinceVV();
    const isEnough = (version: VersionVector): boolean => version.length() === 0 || (version.compare(start) ?? -1) >= 0;
    this.judgeJoin = (frame) =>
      frame.magic !== "%LOR" || isEnough(decodeVersion(frame.version))
        ? undefined
        : { type: "join_error", failure: { kind: "application", code: "history_trimmed" }, message: "Too old." };
    this.judge = (_, updates) => {
      try {
        trimmed.fork().importBatch([...updates]);
        return undefined;
      } catch {
        return { status: "application", code: "history_trimmed", message: "It builds on what is gone." };
      }
    };
  }

  #accepted(peer: Peer, address: RoomAddress, updates: readonly Uint8Array[], batch: BatchId): void {
    const refusal = address.magic === "%LOR" ? (this.judge(address, updates) ?? this.#judgeSeed(address, updates, batch)) : undefined;
    if (refusal !== undefined) {
      const say = (): void => {
        if (refusal.code !== undefined) {
          peer.socket.send(JSON.stringify({ type: "error", code: refusal.code, message: refusal.message, room: address.room, batch }));
        }
      };
      if (refusal.wordsLast !== true) {
        say();
      }
      this.#ack(peer, address, batch, refusal.status);
      if (refusal.wordsLast === true) {
        say();
      }
      return;
    }
    if (address.magic === "%EPH") {
      for (const update of updates) {
        this.#presenceOf(address.room).apply(update);
      }
    } else {
      this.document(address.room).importBatch([...updates]);
    }
    this.#ack(peer, address, batch, "ok");
    for (const update of updates) {
      this.#relay(address, update, peer);
    }
  }

  /** A seed is for a document that nobody has written to, or for one that has it already. */
  #judgeSeed({ room }: RoomAddress, updates: readonly Uint8Array[], batch: BatchId): Refusal | undefined {
    if (!this.#seedBatches.delete(batch)) {
      return undefined;
    }
    const before = this.document(room).oplogVersion();
    const after = this.document(room).fork();
    after.importBatch([...updates]);
    const isKnown = after.oplogVersion().compare(before) === 0;
    const accepted = before.length() === 0 || isKnown;
    if (!isKnown || !accepted) {
      this.seeds.push({ room, accepted });
    }
    return accepted ? undefined : { status: "application", code: "already_seeded", message: "The document to be filled is not empty." };
  }

  #ack(peer: Peer, address: RoomAddress, batch: BatchId, status: AckStatus): void {
    const send = (): void => peer.socket.send(encode({ ...address, type: "ack", batch, status }));
    if (this.heldAcks !== undefined && address.magic === "%LOR") {
      this.heldAcks.push(send);
    } else {
      send();
    }
  }

  #relay(address: RoomAddress, update: Uint8Array, except: Peer | undefined): void {
    for (const peer of this.#peers) {
      if (peer !== except && peer.rooms.has(roomKey(address))) {
        this.#sendBatch(peer, address, update);
      }
    }
  }

  #sendBatch(peer: Peer, address: RoomAddress, update: Uint8Array): void {
    for (const frame of toBatch(address, update).frames) {
      peer.socket.send(encode(frame));
    }
  }

  #presenceOf(room: string): EphemeralStore {
    const known = this.#presence.get(room);
    if (known !== undefined) {
      return known;
    }
    // Without a clean-up timer of its own: the test's process should end with the test.
    const store = new EphemeralStore(600_000);
    this.#presence.set(room, store);
    store.destroy();
    return store;
  }
}

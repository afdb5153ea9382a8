/** The connection of the tab that leads, and what is said on it before and beside the rooms. */

import type { ServerAddress } from "../net/address.js";
import { Connection } from "../net/connection.js";
import type { Credentials } from "../net/credentials.js";
import { CorellaError } from "../public/error.js";
import type { ClientStatus } from "../public/types.js";
import { Router } from "../router.js";
import type { Link } from "../row/room.js";
import { unreachable } from "../util/unreachable.js";
import { type ClientFrame, type ControlMessage, decode, encode, parseControl, WireError } from "../wire/index.js";
import { Renewal } from "./renewal.js";

export type MutationAnswer = Extract<ControlMessage, { type: "result" }> | (Extract<ControlMessage, { type: "error" }> & { readonly ref: string });

export interface UplinkOptions {
  readonly address: ServerAddress;
  readonly Socket: typeof WebSocket;
  readonly credentials: Credentials;
  readonly fetch: typeof fetch;
  /** Who the stored data belongs to: nothing is sent for anybody else. */
  readonly user: string | undefined;
  /** The fingerprint of the schema that the app was made for. */
  readonly schema: string | undefined;
}

export interface UplinkOwner {
  statusChanged(status: ClientStatus): void;
  /** The server knows who is calling: mutations may go. */
  authorized(): void;
  closed(): void;
  answered(answer: MutationAnswer): void;
  /** What this file has no use for. */
  heard(message: Readonly<Record<string, unknown>>): void;
}

const AUTH_REF = "auth";

export class Uplink implements Link {
  readonly router = new Router();
  readonly credentials: Credentials;
  readonly #options: UplinkOptions;
  readonly #owner: UplinkOwner;
  readonly #connection: Connection;
  readonly #renewal: Renewal;
  /** What the server can that an earlier one could not. */
  can: readonly unknown[] = [];
  #epoch: string | undefined;
  #token: string | undefined;
  #renewed = false;

  constructor(options: UplinkOptions, owner: UplinkOwner) {
    this.#options = options;
    this.#owner = owner;
    this.credentials = options.credentials;
    this.#renewal = new Renewal(() => void this.#authorizeAgain());
    this.#connection = new Connection(options.address.socket, options.Socket, {
      statusChanged: (status) => owner.statusChanged(status),
      opened: () => this.#opened(),
      closed: (refusal) => {
        this.#renewal.stop();
        this.router.disconnected(refusal);
        owner.closed();
      },
      tokenRefused: () => void this.credentials.refuse(),
      binary: (bytes) => this.#receive(bytes),
      text: (text) => this.#hear(text),
    });
  }

  get status(): ClientStatus {
    return this.#connection.status;
  }

  get epoch(): string | undefined {
    return this.#epoch;
  }

  send(frame: ClientFrame): void {
    this.#connection.sendBinary(encode(frame));
  }

  sendText(text: string): void {
    this.#connection.sendText(text);
  }

  start(): void {
    this.#connection.start();
  }

  switchOff(): void {
    this.#connection.switchOff();
  }

  wake(): void {
    this.#connection.wake();
  }

  close(): void {
    this.#renewal.stop();
    this.#connection.close();
  }

  /** Another token, when the server found the present one wanting. */
  async renew(): Promise<void> {
    if (!this.#renewed) {
      this.#renewed = true;
      await this.#authorize(() => this.credentials.renew(this.#token));
    }
  }

  #opened(): void {
    this.#renewed = false;
    this.credentials.forget();
    this.sendText(JSON.stringify({ type: "hello", client: "corella-web/0.1.0", schema: this.#options.schema }));
    void this.#authorize(() => this.credentials.token());
    this.router.connected();
  }

  async #authorizeAgain(): Promise<void> {
    this.credentials.forget();
    await this.#authorize(() => this.credentials.token());
  }

  async #authorize(ask: () => Promise<string | undefined>): Promise<void> {
    // The rooms ask too, and deal with a function that fails.
    const token = await ask().catch(() => undefined);
    if (this.status !== "online") {
      return;
    }
    this.#token = token;
    if (token === undefined) {
      this.#owner.authorized();
    } else {
      this.#renewal.watch(token);
      this.sendText(JSON.stringify({ type: "auth", token, ref: AUTH_REF }));
    }
  }

  /** Frames of kinds that a later protocol may bring are passed over; unreadable ones end the connection. */
  #receive(bytes: Uint8Array): void {
    try {
      this.router.dispatch(decode(bytes));
    } catch (error) {
      if (!(error instanceof WireError && error.kind === "unsupported")) {
        throw error;
      }
    }
  }

  #hear(text: string): void {
    const message = parseControl(text);
    switch (message.type) {
      case "ping":
        this.sendText("pong");
        return;
      case "hello":
        this.can = message.can ?? [];
        void this.#learnEpoch(message.epoch);
        return;
      case "auth":
        this.#known(message.user);
        return;
      case "result":
        this.#owner.answered(message);
        return;
      case "error":
        this.#explained(message);
        return;
      case "other":
        this.#owner.heard(message.message ?? {});
        return;
      case "pong":
        return;
      default:
        unreachable(message);
    }
  }

  #explained(message: Extract<ControlMessage, { type: "error" }>): void {
    if (message.ref === AUTH_REF) {
      if (message.code === "unauthorized") {
        void this.renew();
      }
    } else if (message.ref !== undefined) {
      this.#owner.answered({ ...message, ref: message.ref });
    } else {
      this.router.explain(message, message.room, message.batch);
    }
  }

  #known(user: string): void {
    const expected = this.#options.user;
    if (expected !== undefined && user !== expected) {
      this.#connection.refuse(
        new CorellaError("user_mismatch", `This client keeps the data of "${expected}", and its token is one of "${user}". Make a client for each user, with the user's own token.`),
      );
      return;
    }
    this.#owner.authorized();
  }

  /** A server that does not say its epoch in its greeting says it under `/ready`. */
  async #learnEpoch(said: string | undefined): Promise<void> {
    const epoch = said ?? (await this.#askForEpoch());
    if (epoch !== undefined && this.status === "online") {
      this.#epoch = epoch;
      this.router.epochLearned();
    }
  }

  async #askForEpoch(): Promise<string | undefined> {
    try {
      const answer: unknown = await (await this.#options.fetch(`${this.#options.address.http}/ready`)).json();
      const epoch = typeof answer === "object" && answer !== null && "epoch" in answer ? answer.epoch : undefined;
      return typeof epoch === "string" ? epoch : undefined;
    } catch {
      return undefined;
    }
  }
}

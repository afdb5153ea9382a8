/** The client: one connection, the rows that are open on it, and the HTTP API beside it. */

import { EntityApi } from "./http/api.js";
import { parseAddress, type ServerAddress } from "./net/address.js";
import { Connection } from "./net/connection.js";
import { Credentials } from "./net/credentials.js";
import { CorellaError } from "./public/error.js";
import type {
  ClientStatus,
  CorellaClientOptions,
  CreateOptions,
  Fields,
  ListQuery,
  ListResult,
  RowHandle,
  Unsubscribe,
  WriteOptions,
  WriteResult,
} from "./public/types.js";
import { Router } from "./router.js";
import type { Link } from "./row/room.js";
import { Row } from "./row/row.js";
import { Emitter } from "./util/emitter.js";
import { decode, encode, parseControl, WireError } from "./wire/index.js";

const ROW_ID = /^[A-Za-z0-9_-]{1,64}$/;
const ENTITY = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;

/**
 * A connection to one Corella server.
 *
 * It connects when it is made, comes back by itself after every interruption, and brings all open rows up to date
 * each time. {@link close} it when it is no longer needed.
 */
export class CorellaClient {
  readonly #api: EntityApi;
  readonly #router = new Router();
  readonly #rows = new Map<string, Row>();
  readonly #statusEvents = new Emitter<ClientStatus>();
  readonly #credentials: Credentials;
  readonly #link: Link;
  readonly #connection: Connection | undefined;
  #closed = false;

  constructor(options: CorellaClientOptions) {
    const address = parseAddress(options.url);
    const credentials = new Credentials(options.token);
    const fetchFunction = options.fetch ?? globalThis.fetch;
    this.#credentials = credentials;
    // A browser's fetch insists on being called as a function of the window.
    this.#api = new EntityApi(address.http, (input, init) => fetchFunction(input, init), credentials);
    this.#connection = this.#connect(address, options.WebSocket ?? globalThis.WebSocket);
    const connection = this.#connection;
    this.#link = {
      get status() {
        return connection?.status ?? "offline";
      },
      credentials,
      send: (frame) => connection?.sendBinary(encode(frame)),
    };
    connection?.start();
  }

  get status(): ClientStatus {
    return this.#link.status;
  }

  onStatus(listener: (status: ClientStatus) => void): Unsubscribe {
    return this.#statusEvents.on(listener);
  }

  /** The application's own switch: `true` closes the socket and stays away, `false` comes back at once. */
  setOffline(offline: boolean): void {
    if (offline) {
      this.#connection?.switchOff();
    } else {
      this.#connection?.start();
    }
  }

  /**
   * Opens a row, or returns the open one.
   *
   * Every call is one use, to be given back with the handle's `close`. Throws {@link CorellaError} for names that no
   * row can have, and where the platform has no WebSocket.
   */
  row(entity: string, id: string): RowHandle {
    this.#checkOpen(entity, id);
    const key = `${entity}/${id}`;
    const known = this.#rows.get(key);
    if (known !== undefined) {
      return known.retain();
    }
    const row = new Row(entity, id, this.#link, () => {
      this.#rows.delete(key);
      for (const room of row.rooms) {
        this.#router.remove(room);
      }
    });
    this.#rows.set(key, row);
    for (const room of row.rooms) {
      this.#router.add(room);
      if (this.status === "online") {
        room.connected();
      }
    }
    return row.retain();
  }

  /** Rows that match, as JSON, with the cursor to the next ones. */
  list(entity: string, query: ListQuery = {}): Promise<ListResult> {
    return this.#api.list(entity, query);
  }

  get(entity: string, id: string): Promise<WriteResult> {
    return this.#api.get(entity, id);
  }

  create(entity: string, fields: Fields, options: CreateOptions = {}): Promise<WriteResult> {
    return this.#api.create(entity, fields, options);
  }

  /** Changes the named fields only; text becomes the smallest edit that leads to the new text. */
  patch(entity: string, id: string, fields: Fields, options: WriteOptions = {}): Promise<WriteResult> {
    return this.#api.patch(entity, id, fields, options);
  }

  /** Takes the row out of its table. Its document stays, and {@link restore} brings it back. */
  delete(entity: string, id: string, options: WriteOptions = {}): Promise<void> {
    return this.#api.delete(entity, id, options);
  }

  restore(entity: string, id: string, options: WriteOptions = {}): Promise<WriteResult> {
    return this.#api.restore(entity, id, options);
  }

  /** Leaves all rooms and ends the connection. Edits that are not yet confirmed are sent, and not waited for. */
  close(): void {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    for (const row of [...this.#rows.values()]) {
      row.dispose();
    }
    this.#connection?.close();
    this.#statusEvents.clear();
  }

  #checkOpen(entity: string, id: string): void {
    if (this.#closed) {
      throw new CorellaError("client_closed", "This client is closed. Make a new one.");
    }
    if (this.#connection === undefined) {
      throw new CorellaError("websocket_missing", 'This platform has no WebSocket. Pass one: new CorellaClient({ WebSocket: (await import("ws")).WebSocket, … }).');
    }
    if (!ENTITY.test(entity)) {
      throw new CorellaError("unknown_entity", `An entity's name is letters, digits and _, this is "${entity}".`);
    }
    if (!ROW_ID.test(id)) {
      throw new CorellaError("invalid_row_id", `A row id is 1 to 64 of A-Z a-z 0-9 _ -, this is "${id}".`);
    }
  }

  #connect(address: ServerAddress, Socket: typeof WebSocket | undefined): Connection | undefined {
    if (Socket === undefined) {
      return undefined;
    }
    return new Connection(address.socket, Socket, {
      statusChanged: (status) => {
        for (const row of [...this.#rows.values()]) {
          row.connectionChanged();
        }
        this.#statusEvents.emit(status);
      },
      opened: () => {
        this.#credentials.forget();
        this.#router.connected();
      },
      closed: (refusal) => this.#router.disconnected(refusal),
      tokenRefused: () => this.#credentials.forget(),
      binary: (bytes) => this.#receive(bytes),
      text: (text) => this.#hear(text),
    });
  }

  /** Frames of kinds that a later protocol may bring are passed over; unreadable ones end the connection. */
  #receive(bytes: Uint8Array): void {
    try {
      this.#router.dispatch(decode(bytes));
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
        this.#connection?.sendText("pong");
        return;
      case "error":
        this.#router.explain(message, message.room, message.batch);
        return;
      case "pong":
      case "hello":
      case "other":
        return;
    }
  }
}

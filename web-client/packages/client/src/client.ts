/** The client: the rows and mutations of one user at one server, whichever tab holds the connection. */

import { LoroDoc } from "loro-crdt";

import { Engine } from "./engine/engine.js";
import type { EntityApi } from "./http/api.js";
import { toMutation } from "./mutations/queue.js";
import { parseAddress } from "./net/address.js";
import { Credentials } from "./net/credentials.js";
import { CorellaError } from "./public/error.js";
import type {
  ClientStatus,
  CorellaClientOptions,
  CreateOptions,
  Fields,
  ListQuery,
  ListResult,
  LocalPage,
  LocalRow,
  Mutation,
  MutationOutcome,
  QueuedMutation,
  Rejection,
  RowHandle,
  RowOptions,
  SyncStatus,
  Unsubscribe,
  WriteOptions,
  WriteResult,
} from "./public/types.js";
import { rowKey, type StoredRejection } from "./storage/port.js";

const ROW_ID = /^[A-Za-z0-9_-]{1,64}$/;
const ENTITY = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;

let readEngine: (client: CorellaClient) => Engine;

/** What stands behind a client. */
export function engineOf(client: CorellaClient): Engine {
  return readEngine(client);
}

/**
 * One user at one Corella server.
 *
 * It connects when it is made, comes back by itself after every interruption, and brings all open rows up to date
 * each time. {@link close} it when it is no longer needed.
 */
export class CorellaClient {
  readonly #makeApi: () => Promise<EntityApi>;
  #api: Promise<EntityApi> | undefined;
  readonly #engine: Engine;
  #closed = false;

  /** For the parts of this package that are loaded apart. */
  static {
    readEngine = (client) => {
      client.#checkOpen();
      return client.#engine;
    };
  }

  constructor(options: CorellaClientOptions) {
    const address = parseAddress(options.url);
    const credentials = new Credentials(options.token);
    const given = options.fetch ?? globalThis.fetch;
    // A browser's fetch insists on being called as a function of the window.
    const fetchFunction: typeof fetch = (input, init) => given(input, init);
    this.#makeApi = async () => {
      // Lists over HTTP need the server anyway: a page that does not use them is smaller.
      const { EntityApi } = await import("./http/api.js");
      return new EntityApi(address.http, fetchFunction, credentials, options.schema?.fingerprint);
    };
    this.#engine = new Engine(options, address, credentials, fetchFunction);
    this.#engine.start();
  }

  get status(): ClientStatus {
    return this.#engine.status;
  }

  /** Connection, storage, and what the server has not confirmed, of all tabs together. */
  get sync(): SyncStatus {
    return this.#engine.sync;
  }

  /** Calls back when {@link status} is another. */
  onStatus(listener: (status: ClientStatus) => void): Unsubscribe {
    return this.#engine.statusEvents.on(listener);
  }

  /** Calls back when {@link sync} is another. */
  onSync(listener: (sync: SyncStatus) => void): Unsubscribe {
    return this.#engine.syncEvents.on(listener);
  }

  /** Refused work, of open rows and of others, from this tab and from others. {@link rejections} keeps it. */
  onRejected(listener: (rejection: Rejection) => void): Unsubscribe {
    return this.#engine.rejectedEvents.on((stored) => listener(toRejection(stored)));
  }

  /** How mutations end, those of an earlier page included. */
  onSettled(listener: (outcome: MutationOutcome) => void): Unsubscribe {
    return this.#engine.settledEvents.on(listener);
  }

  /** The application's own switch: `true` closes the socket and stays away, `false` comes back at once. For all tabs. */
  setOffline(offline: boolean): void {
    this.#engine.setOffline(offline);
  }

  /**
   * Opens a row, or returns the open one.
   *
   * Every call is one use, to be given back with the handle's `close`. Throws {@link CorellaError} for names that no
   * row can have, and where the platform has no WebSocket.
   */
  row(entity: string, id: string, { seed }: RowOptions = {}): RowHandle {
    this.#checkOpen();
    if (!ENTITY.test(entity)) {
      throw new CorellaError("unknown_entity", `An entity's name is letters, digits and _, this is "${entity}".`);
    }
    if (!ROW_ID.test(id)) {
      throw new CorellaError("invalid_row_id", `A row id is 1 to 64 of A-Z a-z 0-9 _ -, this is "${id}".`);
    }
    const row = this.#engine.rows.ensure(rowKey(entity, id)).retain();
    if (seed !== undefined) {
      row.seedWith(seed);
    }
    return row;
  }

  /** The rows of an entity that this device keeps, with all that was written here, in the order of their ids. */
  async localRows(entity: string, page: LocalPage = {}): Promise<readonly LocalRow[]> {
    this.#checkOpen();
    return this.#engine.views.list(entity, page);
  }

  /** Queues a change of one row: kept, sent when the server can be reached, and made there once. */
  mutate(mutation: Mutation): QueuedMutation {
    this.#checkOpen();
    return this.#engine.mutate(mutation);
  }

  /** The work that the server has refused, until it is dismissed. */
  async rejections(): Promise<readonly Rejection[]> {
    return (await this.#engine.keeper.storage.rejections()).map(toRejection);
  }

  /** The application has dealt with refused work. */
  async dismiss(rejectionId: string): Promise<void> {
    await this.#engine.dismiss(rejectionId);
  }

  /** Rows that match, as JSON, with the cursor to the next ones. */
  async list(entity: string, query: ListQuery = {}): Promise<ListResult> {
    return (await this.#http()).list(entity, query);
  }

  /** One row as JSON. Rejects with `row_not_found` where there is none. */
  async get(entity: string, id: string): Promise<WriteResult> {
    return (await this.#http()).get(entity, id);
  }

  /** Makes a row, and resolves when it is durable. */
  async create(entity: string, fields: Fields, options: CreateOptions = {}): Promise<WriteResult> {
    return (await this.#http()).create(entity, fields, options);
  }

  /** Changes the named fields only; text becomes the smallest edit that leads to the new text. */
  async patch(entity: string, id: string, fields: Fields, options: WriteOptions = {}): Promise<WriteResult> {
    return (await this.#http()).patch(entity, id, fields, options);
  }

  /** Takes the row out of its table. Its document stays, and {@link restore} brings it back. */
  async delete(entity: string, id: string, options: WriteOptions = {}): Promise<void> {
    return (await this.#http()).delete(entity, id, options);
  }

  /** Brings a deleted row back, with all that was written to it. */
  async restore(entity: string, id: string, options: WriteOptions = {}): Promise<WriteResult> {
    return (await this.#http()).restore(entity, id, options);
  }

  /**
   * Leaves all rooms and ends the connection, which another tab takes over. What is not yet confirmed is sent, and not
   * waited for. The promise resolves when storage has all that it can take.
   */
  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      return this.#engine.close();
    }
    return Promise.resolve();
  }

  #http(): Promise<EntityApi> {
    const api = (this.#api ??= this.#makeApi());
    return api.catch((cause: unknown) => {
      this.#api = undefined;
      throw new CorellaError("unreachable", "A part of this page could not be loaded. Is there a network?", { cause });
    });
  }

  #checkOpen(): void {
    if (this.#closed) {
      throw new CorellaError("client_closed", "This client is closed. Make a new one.");
    }
    if (!this.#engine.canConnect) {
      throw new CorellaError("websocket_missing", 'This platform has no WebSocket. Pass one: new CorellaClient({ WebSocket: (await import("ws")).WebSocket, … }).');
    }
  }
}

function toRejection({ id, code, message, at, work }: StoredRejection): Rejection {
  const common = { id, code, message, at: new Date(at) };
  if (work.kind === "mutation") {
    return { ...common, work: { kind: "mutation", key: work.mutation.key, mutation: toMutation(work.mutation) } };
  }
  const lost = new LoroDoc();
  lost.import(work.snapshot);
  return { ...common, work: { kind: "edits", entity: work.entity, id: work.id, lost } };
}

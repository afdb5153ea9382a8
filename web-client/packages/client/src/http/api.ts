/** Rows over HTTP: lists, and writes that need no open document. */

import type { Credentials } from "../net/credentials.js";
import { CorellaError } from "../public/error.js";
import type { CreateOptions, Fields, ListQuery, ListResult, WriteOptions, WriteResult } from "../public/types.js";
import { toError } from "./problem.js";
import { readList, readWrite } from "./shapes.js";

interface Request {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  readonly idempotencyKey?: string | undefined;
}

/** The `/api/entities` part of the server. Every method throws only {@link CorellaError}. */
export class EntityApi {
  readonly #base: string;
  readonly #fetch: typeof fetch;
  readonly #credentials: Credentials;
  readonly #schema: string | undefined;

  constructor(base: string, fetchFunction: typeof fetch, credentials: Credentials, schema?: string) {
    this.#base = base;
    this.#fetch = fetchFunction;
    this.#credentials = credentials;
    this.#schema = schema;
  }

  async list(entity: string, query: ListQuery): Promise<ListResult> {
    const parameters = new URLSearchParams();
    if (query.where !== undefined) {
      parameters.set("where", JSON.stringify(query.where));
    }
    if (query.match !== undefined) {
      parameters.set("match", query.match);
    }
    if (query.orderBy !== undefined) {
      parameters.set("orderBy", JSON.stringify(query.orderBy));
    }
    if (query.limit !== undefined) {
      parameters.set("limit", String(query.limit));
    }
    if (query.cursor !== undefined) {
      parameters.set("cursor", query.cursor);
    }
    const text = parameters.toString();
    return readList(await this.#json({ method: "GET", path: path(entity) + (text === "" ? "" : `?${text}`) }));
  }

  async get(entity: string, id: string): Promise<WriteResult> {
    return readWrite(await this.#json({ method: "GET", path: path(entity, id) }));
  }

  async create(entity: string, fields: Fields, options: CreateOptions): Promise<WriteResult> {
    const body = options.id === undefined ? fields : { ...fields, id: options.id };
    return readWrite(await this.#json({ method: "POST", path: path(entity), body, idempotencyKey: options.idempotencyKey }));
  }

  async patch(entity: string, id: string, fields: Fields, options: WriteOptions): Promise<WriteResult> {
    return readWrite(await this.#json({ method: "PATCH", path: path(entity, id), body: fields, ...options }));
  }

  async delete(entity: string, id: string, options: WriteOptions): Promise<void> {
    await this.#send({ method: "DELETE", path: path(entity, id), ...options });
  }

  async restore(entity: string, id: string, options: WriteOptions): Promise<WriteResult> {
    return readWrite(await this.#json({ method: "POST", path: `${path(entity, id)}/restore`, ...options }));
  }

  async #json(request: Request): Promise<unknown> {
    const response = await this.#send(request);
    try {
      return await response.json();
    } catch (cause) {
      throw new CorellaError("unexpected_answer", "The server's answer should be JSON. Check the client's url.", { status: response.status, cause });
    }
  }

  /** Sends, and once more with another token where the first was not good. */
  async #send(request: Request): Promise<Response> {
    const token = await this.#token(() => this.#credentials.token());
    let response = await this.#once(request, token);
    if (response.status === 401) {
      const renewed = await this.#token(() => this.#credentials.renew(token));
      if (renewed !== token) {
        response = await this.#once(request, renewed);
      }
    }
    if (!response.ok) {
      throw await toError(response);
    }
    return response;
  }

  async #token(ask: () => Promise<string | undefined>): Promise<string | undefined> {
    try {
      return await ask();
    } catch (cause) {
      throw new CorellaError("token_failed", "The client's token function failed. See this error's cause.", { cause });
    }
  }

  async #once(request: Request, token: string | undefined): Promise<Response> {
    const headers = new Headers({ accept: "application/json" });
    if (token !== undefined) {
      headers.set("authorization", `Bearer ${token}`);
    }
    if (this.#schema !== undefined) {
      headers.set("corella-schema", this.#schema);
    }
    if (request.idempotencyKey !== undefined) {
      headers.set("idempotency-key", request.idempotencyKey);
    }
    const init: RequestInit = { method: request.method, headers };
    if (request.body !== undefined) {
      headers.set("content-type", "application/json");
      init.body = JSON.stringify(request.body);
    }
    try {
      return await this.#fetch(this.#base + request.path, init);
    } catch (cause) {
      throw new CorellaError("unreachable", `The server at ${this.#base} does not answer. Check that it runs and that there is a network.`, { cause });
    }
  }
}

function path(entity: string, id?: string): string {
  const collection = `/api/entities/${encodeURIComponent(entity)}`;
  return id === undefined ? collection : `${collection}/${encodeURIComponent(id)}`;
}

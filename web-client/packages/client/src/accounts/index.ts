/**
 * `@corella/client/accounts`: signing in to a server with accounts of its own (`corella serve --accounts`).
 *
 * ```ts
 * const accounts = new Accounts({ url: "https://app.example.com", store: localStore("session") });
 * await accounts.signIn("ada@example.com", password);
 * const client = new CorellaClient({ url: "https://app.example.com", token: accounts.token });
 * ```
 */

import { toError } from "../http/problem.js";
import { CorellaError } from "../public/error.js";

/** Who is signed in. */
export interface User {
  readonly id: string;
  readonly email: string | null;
  readonly roles: readonly string[];
  readonly tenant: string | null;
}

/** Where the refresh token is kept between two visits; whoever can read it can go on with the session. */
export interface RefreshStore {
  /** The token that was set last; `undefined` where there is none. */
  get(): string | undefined;
  /** Keeps the token, or forgets it. */
  set(token: string | undefined): void;
}

/** How to reach a server's accounts. */
export interface AccountsOptions {
  /** The server's address, as for the client. */
  readonly url: string;
  /** Where the refresh token is kept; without it a session ends with the page. */
  readonly store?: RefreshStore;
  /** Takes the place of the global `fetch`. */
  readonly fetch?: typeof fetch;
}

/** Keeps the refresh token in `localStorage` under a name. */
export function localStore(name: string): RefreshStore {
  return {
    get: () => localStorage.getItem(name) ?? undefined,
    set: (token) => (token === undefined ? localStorage.removeItem(name) : localStorage.setItem(name, token)),
  };
}

interface Access {
  readonly token: string;
  /** When another one is asked for, in milliseconds since 1970: a little before the server takes it for over. */
  readonly until: number;
}

/** How long before its end an access token is no longer given, in milliseconds; at most half of its life. */
const MARGIN = 30_000;

/** Somebody's session. Every method throws only {@link CorellaError}. */
export class Accounts {
  readonly #url: string;
  readonly #fetch: typeof fetch;
  readonly #store: RefreshStore;
  #access: Access | undefined;
  #refreshing: Promise<string | undefined> | undefined;
  #user: User | undefined;

  constructor(options: AccountsOptions) {
    this.#url = options.url.replace(/\/+$/, "");
    const given = options.fetch ?? globalThis.fetch;
    this.#fetch = (input, init) => given(input, init);
    this.#store = options.store ?? memory();
  }

  /** Who is signed in, as far as this object has heard. */
  get user(): User | undefined {
    return this.#user;
  }

  /** Signs in; the refresh token is kept, and {@link token} gives access tokens from now on. */
  async signIn(email: string, password: string, options: { readonly tenant?: string } = {}): Promise<User> {
    return this.#begin("/auth/sign-in", { email, password, ...options });
  }

  /** Makes an account and signs in with it, where the server lets anybody. */
  async signUp(email: string, password: string): Promise<User> {
    return this.#begin("/auth/sign-up", { email, password });
  }

  /** Ends the session here and on the server. Here it ends even when the server cannot be reached; then this throws. */
  async signOut(): Promise<void> {
    const refreshToken = this.#store.get();
    this.#forget();
    if (refreshToken !== undefined) {
      await this.#post("/auth/sign-out", { refreshToken });
    }
  }

  /**
   * An access token that is good, or nothing when nobody is signed in: give this function to the client as its `token`.
   *
   * `refused` is a token that the server no longer takes; then there is another one, or the session has ended.
   */
  readonly token = async (refused?: string): Promise<string | undefined> => {
    const access = this.#access;
    if (access !== undefined && access.token !== refused && Date.now() < access.until) {
      return access.token;
    }
    // A refresh token is good once: all who ask at the same time wait for one answer.
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  };

  async #refresh(): Promise<string | undefined> {
    const refreshToken = this.#store.get();
    if (refreshToken === undefined) {
      return undefined;
    }
    try {
      return this.#take(await this.#post("/auth/refresh", { refreshToken })).token;
    } catch (error) {
      if (!(error instanceof CorellaError) || error.code !== "unauthorized") {
        throw error;
      }
      if (this.#store.get() !== refreshToken) {
        // Another tab has refreshed meanwhile, and kept what it got.
        return this.#refresh();
      }
      this.#forget();
      return undefined;
    }
  }

  async #begin(path: string, body: unknown): Promise<User> {
    return this.#take(await this.#post(path, body)).user;
  }

  #forget(): void {
    this.#access = undefined;
    this.#user = undefined;
    this.#store.set(undefined);
  }

  #take(answer: unknown): { readonly token: string; readonly user: User } {
    const { accessToken, refreshToken, expiresIn, user } = record(answer);
    if (typeof accessToken !== "string" || typeof refreshToken !== "string" || typeof expiresIn !== "number") {
      throw new CorellaError("unexpected_answer", "The server's answer should have tokens. Check the url of the accounts.");
    }
    const life = expiresIn * 1_000;
    this.#access = { token: accessToken, until: Date.now() + life - Math.min(MARGIN, life / 2) };
    this.#user = toUser(user);
    this.#store.set(refreshToken);
    return { token: accessToken, user: this.#user };
  }

  async #post(path: string, body: unknown): Promise<unknown> {
    let response: Response;
    try {
      response = await this.#fetch(this.#url + path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    } catch (cause) {
      throw new CorellaError("unreachable", "The server cannot be reached. Check the connection, then try again.", { cause });
    }
    if (!response.ok) {
      throw await toError(response);
    }
    return response.json().catch((cause: unknown) => {
      throw new CorellaError("unexpected_answer", "The server's answer should be JSON. Check the url of the accounts.", { cause });
    });
  }
}

function memory(): RefreshStore {
  let kept: string | undefined;
  return {
    get: () => kept,
    set: (token) => {
      kept = token;
    },
  };
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function toUser(value: unknown): User {
  const { id, email, roles, tenant } = record(value);
  const text = (found: unknown): string | null => (typeof found === "string" ? found : null);
  const words = Array.isArray(roles) ? roles.filter((role): role is string => typeof role === "string") : [];
  return { id: text(id) ?? "", email: text(email), roles: words, tenant: text(tenant) };
}

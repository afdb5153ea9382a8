/** The caller's token: asked for once, kept until somebody finds it wanting. */

import type { CorellaClientOptions } from "../public/types.js";

type TokenSource = NonNullable<CorellaClientOptions["token"]>;

/** Keeps the answer of the application's `token` function for all joins and requests until {@link forget}. */
export class Credentials {
  readonly #source: TokenSource | undefined;
  #current: Promise<string | undefined> | undefined;
  /** The newest token that the server found wanting: the application should not give it again. */
  #refused: string | undefined;

  constructor(source: TokenSource | undefined) {
    this.#source = source;
  }

  /** The token, or `undefined` for a caller without one. Rejects when the application's function does. */
  token(): Promise<string | undefined> {
    if (this.#current === undefined) {
      const current = Promise.resolve().then(() => this.#source?.(this.#refused));
      this.#current = current;
      // A failed answer is not kept: the next caller asks again.
      current.catch(() => this.#forgetOnly(current));
    }
    return this.#current;
  }

  /** The next use asks the application again. */
  forget(): void {
    this.#current = undefined;
  }

  /** The server has ended a connection because of its token. */
  async refuse(): Promise<void> {
    const current = this.#current;
    this.forget();
    this.#refused = await current?.catch(() => undefined);
  }

  /** Forgets the token if it is still the one that `refused` names, and returns the next one. */
  async renew(refused: string | undefined): Promise<string | undefined> {
    if ((await this.token()) === refused) {
      this.#refused = refused;
      this.forget();
    }
    return this.token();
  }

  #forgetOnly(current: Promise<string | undefined>): void {
    if (this.#current === current) {
      this.#current = undefined;
    }
  }
}

/** Asks to enter a room, with a token that may first have to be fetched. */

import type { RoomAddress } from "../wire/index.js";
import type { Link } from "./room.js";

const utf8 = new TextEncoder();

/** Sends join requests; an older one that is still waiting for its token never overtakes a newer one. */
export class Joiner {
  readonly #link: Link;
  readonly #address: RoomAddress;
  #attempt = 0;
  #token: string | undefined;
  #renewed = false;
  #isAsked = false;

  constructor(link: Link, address: RoomAddress) {
    this.#link = link;
    this.#address = address;
  }

  /** Whether a request is on its way, so that an answer in this room is an answer to it. */
  get isAsked(): boolean {
    return this.#isAsked;
  }

  /** The answer came. */
  answered(): void {
    this.#isAsked = false;
  }

  /** A new connection: a refused token may be renewed again. */
  reset(): void {
    this.#attempt += 1;
    this.#renewed = false;
    this.#isAsked = false;
  }

  /** Sends a join with the version at the time of sending. `onFailure` hears why none could be sent. */
  join(version: () => Uint8Array, onFailure: (error: unknown) => void): void {
    this.#send(this.#link.credentials.token(), version, onFailure);
  }

  /** The token has proved good: when it ends, it may be renewed again. */
  trusted(): void {
    this.#renewed = false;
  }

  /** Asks for another token and joins with it. Returns `false` if that was tried and the token has not proved good since. */
  joinRenewed(version: () => Uint8Array, onFailure: (error: unknown) => void): boolean {
    if (this.#renewed) {
      return false;
    }
    this.#renewed = true;
    this.#send(this.#link.credentials.renew(this.#token), version, onFailure);
    return true;
  }

  #send(token: Promise<string | undefined>, version: () => Uint8Array, onFailure: (error: unknown) => void): void {
    this.#attempt += 1;
    const attempt = this.#attempt;
    const isCurrent = (): boolean => attempt === this.#attempt;
    token
      .then((value) => {
        if (isCurrent()) {
          this.#token = value;
          this.#isAsked = true;
          this.#link.send({ ...this.#address, type: "join", auth: utf8.encode(value ?? ""), version: version() });
        }
      })
      .catch((error: unknown) => {
        if (isCurrent()) {
          onFailure(error);
        }
      });
  }
}

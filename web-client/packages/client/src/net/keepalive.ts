/** Notices a peer that is gone although the socket says nothing. */

const PING_MILLISECONDS = 20_000;
const ANSWER_MILLISECONDS = 10_000;

/** Sends a ping every 20 seconds; calls `onDead` when nothing at all arrives within 10 seconds after one. */
export class KeepAlive {
  readonly #ping: () => void;
  readonly #onDead: () => void;
  #interval: ReturnType<typeof setInterval> | undefined;
  #deadline: ReturnType<typeof setTimeout> | undefined;

  constructor(ping: () => void, onDead: () => void) {
    this.#ping = ping;
    this.#onDead = onDead;
  }

  start(): void {
    this.stop();
    this.#interval = setInterval(() => this.ask(), PING_MILLISECONDS);
  }

  /** Asks for a sign of life now. */
  ask(): void {
    this.#deadline ??= setTimeout(() => {
      this.stop();
      this.#onDead();
    }, ANSWER_MILLISECONDS);
    this.#ping();
  }

  /** Any message is a sign of life, not only a pong. */
  heard(): void {
    clearTimeout(this.#deadline);
    this.#deadline = undefined;
  }

  stop(): void {
    this.heard();
    clearInterval(this.#interval);
    this.#interval = undefined;
  }
}

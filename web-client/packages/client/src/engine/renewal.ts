/** Asks for another token shortly before the present one ends, where a token says when it ends. */

/** So long before its end, or after three quarters of a short life. */
const AHEAD_MILLISECONDS = 60_000;

/** Timers that are set further ahead than this fire at once. */
const LONGEST_MILLISECONDS = 2 ** 31 - 1;

export class Renewal {
  readonly #renew: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(renew: () => void) {
    this.#renew = renew;
  }

  watch(token: string): void {
    this.stop();
    const end = tokenEnd(token);
    if (end === undefined) {
      return;
    }
    const left = end - Date.now();
    const wait = Math.max(left - AHEAD_MILLISECONDS, left * 0.75);
    // One that has ended already is the server's to refuse.
    if (wait > 0 && wait < LONGEST_MILLISECONDS) {
      this.#timer = setTimeout(this.#renew, wait);
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** When a JSON web token ends, in milliseconds since 1970; `undefined` for tokens of other kinds. */
export function tokenEnd(token: string): number | undefined {
  const claims = token.split(".")[1];
  try {
    const value: unknown = JSON.parse(atob((claims ?? "").replaceAll("-", "+").replaceAll("_", "/")));
    const end = typeof value === "object" && value !== null && "exp" in value ? value.exp : undefined;
    return typeof end === "number" ? end * 1000 : undefined;
  } catch {
    return undefined;
  }
}

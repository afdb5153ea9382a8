/** The ladder by which a row's room mends itself: which rung is next, and when. */

import { backoffMilliseconds } from "../net/backoff.js";
import { unreachable } from "../util/unreachable.js";
import type { Refusal } from "./refusal.js";
import type { Fate } from "./replacement.js";
import type { RefusalDetail } from "./room.js";

/** After so many attempts in a row that mended nothing the row says so, and goes on trying. */
const SILENT_RETRIES = 6;

/** After so many batches in a row that had to be sent again, the row joins again instead. */
const RESENDS = 2;

/** After so many joins in a row that mended nothing although each brought a readable answer, the row is rebuilt. */
const JOINS_BEFORE_REBUILD = 2;

/** The rungs, as the room takes them. */
export interface LadderOwner {
  /** Whether there is a connection at all. */
  readonly isConnected: boolean;
  readonly isInside: boolean;
  /** Whether another document is being filled already. */
  readonly isReplacing: boolean;
  /** Sends nothing until {@link resend}. */
  pause(): void;
  /** Sends what is not confirmed again, in the room as it is. */
  resend(): void;
  /** Waits outside for {@link rejoin}. `told` is what the application is told meanwhile, if it is time to. */
  stepOut(told: RefusalDetail | undefined): void;
  rejoin(): void;
  /** `false` when another token was tried before and did not help. */
  rejoinRenewed(): boolean;
  /** Fetches the row anew. */
  replace(fate: Fate, reason: RefusalDetail): void;
  /** Stays outside. */
  shutOut(reason: RefusalDetail): void;
}

/** Knows what was tried and for how long; never gives up, because edits that wait here exist nowhere else. */
export class Ladder {
  readonly #owner: LadderOwner;
  #retries = 0;
  #resends = 0;
  #futileJoins = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(owner: LadderOwner) {
    this.#owner = owner;
  }

  /** A new connection: what was tried on the last one says nothing. */
  connected(): void {
    this.#retries = 0;
    this.#resends = 0;
  }

  /** The row is in step. */
  caughtUp(): void {
    this.#retries = 0;
  }

  /** Something of the server's could be taken in. */
  received(): void {
    this.#retries = 0;
    this.#futileJoins = 0;
  }

  /** The server has taken something in. */
  confirmed(): void {
    this.#retries = 0;
    this.#resends = 0;
    this.#futileJoins = 0;
  }

  /** Nothing is waited for any more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  refused(refusal: Refusal): void {
    switch (refusal.remedy) {
      case "resend":
        this.#resend(refusal);
        return;
      case "retry":
        this.retry(refusal);
        return;
      case "rebuild":
        this.#owner.replace("merge", refusal);
        return;
      case "reset":
        this.#owner.replace("tell", refusal);
        return;
      case "renew":
        if (!this.#owner.rejoinRenewed()) {
          this.#owner.shutOut(refusal);
        }
        return;
      case "final":
        this.#owner.shutOut(refusal);
        return;
      default:
        unreachable(refusal.remedy);
    }
  }

  /** A new join may bring the same operations in readable form; after that the document itself is in doubt. */
  unreadable(reason: RefusalDetail): void {
    this.#futileJoins += 1;
    if (this.#futileJoins <= JOINS_BEFORE_REBUILD || this.#owner.isReplacing) {
      this.retry(reason);
    } else {
      this.#owner.replace("merge", reason);
    }
  }

  /** Joins again after a while. */
  retry(reason: RefusalDetail): void {
    if (!this.#owner.isConnected) {
      return;
    }
    const { code, message } = reason;
    this.#owner.stepOut(this.#retries >= SILENT_RETRIES ? { code, message } : undefined);
    this.#wait(this.#retries, reason, () => this.#owner.rejoin());
    this.#retries += 1;
  }

  #resend(reason: RefusalDetail): void {
    if (!this.#owner.isInside || this.#resends >= RESENDS) {
      this.#resends = 0;
      this.retry(reason);
      return;
    }
    this.#owner.pause();
    this.#wait(this.#resends, reason, () => this.#owner.resend());
    this.#resends += 1;
  }

  #wait(attempt: number, { retryAfterMilliseconds = 0 }: RefusalDetail, then: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        then();
      },
      Math.max(backoffMilliseconds(attempt), retryAfterMilliseconds),
    );
  }
}

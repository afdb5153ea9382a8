/** Acknowledgements that refuse, held back until the server has said why. */

import type { AckStatus, BatchId } from "../wire/index.js";
import { needsWords } from "./refusal.js";

/** How long a refusing acknowledgement waits for the words that go with it; some servers send none. */
const WORDS_MILLISECONDS = 250;

/** Brings each acknowledgement to judgement once, the refusing ones with their words if any come. */
export class Verdicts {
  readonly #judge: (batch: BatchId, status: AckStatus) => void;
  #held: { readonly batch: BatchId; readonly status: AckStatus; readonly timer: ReturnType<typeof setTimeout> } | undefined;

  constructor(judge: (batch: BatchId, status: AckStatus) => void) {
    this.#judge = judge;
  }

  acknowledged(batch: BatchId, status: AckStatus, isExplained: boolean): void {
    // What comes after a refusal builds on what was refused: one judgement serves for all.
    if (this.#held !== undefined) {
      return;
    }
    if (needsWords(status) && !isExplained) {
      this.#held = { batch, status, timer: setTimeout(() => this.#release(), WORDS_MILLISECONDS) };
    } else {
      this.#judge(batch, status);
    }
  }

  explained(batch: BatchId): void {
    if (batch === this.#held?.batch) {
      this.#release();
    }
  }

  clear(): void {
    clearTimeout(this.#held?.timer);
    this.#held = undefined;
  }

  #release(): void {
    const held = this.#held;
    if (held !== undefined) {
      this.clear();
      this.#judge(held.batch, held.status);
    }
  }
}

/** A row that gets another document: what becomes of the one that it had. */

import type { LoroDoc, VersionVector } from "loro-crdt";

import type { RowRejection, RowReset } from "../public/types.js";
import { merged } from "./merge.js";
import { unsentOf } from "./reset.js";
import type { RefusalDetail } from "./room.js";

/** `merge`: what it has more goes into the fresh one. `tell`: it cannot, and the application hears what it has more. */
export type Fate = "merge" | "tell";

interface SetAside {
  readonly detail: RefusalDetail;
  readonly document: LoroDoc;
  readonly fate: Fate;
}

/** What a fresh document that has caught up leads to. */
export interface Outcome {
  /** The fresh document, with all that could be merged into it. */
  readonly doc: LoroDoc;
  /** Unsent edits that could not. */
  readonly rejections: readonly RowRejection[];
  readonly resets: readonly RowReset[];
}

/** The documents that were set aside while another one is filled from the server. */
export class Replacement {
  #setAside: SetAside[] = [];
  #isRunning = false;

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Whether something that was set aside has edits that nobody has been told of. */
  get holdsEdits(): boolean {
    return this.#setAside.length > 0;
  }

  /** A document is about to be filled, and nothing of the one before it is owed to anybody. */
  begin(): void {
    this.#isRunning = true;
  }

  /** A document is about to be filled in the place of this one. */
  beginFor(document: LoroDoc, fate: Fate, detail: RefusalDetail): void {
    // One that is itself being filled has nothing that the one before it has not.
    if (!this.#isRunning) {
      this.#setAside.push({ detail, document, fate });
    } else if (fate === "tell") {
      this.#setAside = this.#setAside.map((aside) => ({ ...aside, fate }));
    }
    this.#isRunning = true;
  }

  /** `fresh` has all that the server has. */
  finish(fresh: LoroDoc): Outcome {
    this.#isRunning = false;
    const server = fresh.oplogVersion();
    let doc = fresh;
    const rejections: RowRejection[] = [];
    for (const { detail, document, fate } of this.#setAside) {
      const whole = fate === "merge" ? merged(doc, document) : undefined;
      doc = whole ?? doc;
      if (fate === "merge" && whole === undefined && unsentOf(document, server) !== undefined) {
        rejections.push({ ...detail, lost: document });
      }
    }
    return { doc, rejections, resets: this.resets(server) };
  }

  /** What is owed to the application of the documents that cannot be merged; nothing is owed afterwards. */
  resets(server: VersionVector): RowReset[] {
    const setAside = this.#setAside;
    this.#setAside = [];
    return setAside.flatMap(({ detail: { code, message }, document, fate }) =>
      fate === "tell" ? [{ code, message, document, unsent: unsentOf(document, server) }] : [],
    );
  }
}

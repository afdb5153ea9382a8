/** A row that gets another document: what becomes of the one that it had. */

import type { LoroDoc, VersionVector } from "loro-crdt";

import type { RowRejection, RowReset } from "../public/types.js";
import { merged } from "./merge.js";
import { unsentOf } from "./reset.js";
import type { RefusalDetail } from "./room.js";
import { transplanted } from "./transplant.js";
import { covers } from "./versions.js";

/** `merge`: what it has more goes into the fresh one. `tell`: it cannot, and the application hears what it has more. */
export type Fate = "merge" | "tell";

interface SetAside {
  readonly detail: RefusalDetail;
  readonly document: LoroDoc;
  readonly fate: Fate;
  /** What of the document filled it, as far as the server did not have it. */
  readonly seed: VersionVector | undefined;
}

/** What a fresh document that has caught up leads to. */
export interface Outcome {
  /** The fresh document, with all that could be merged into it. */
  readonly doc: LoroDoc;
  /** Unsent edits that could not. */
  readonly rejections: readonly RowRejection[];
  readonly resets: readonly RowReset[];
  /** What had no part in `doc` as it was, and was made again in it or handed over: other copies need not bring it. */
  readonly dealtWith: VersionVector | undefined;
  /** What fills the document, where the server is still without anything. */
  readonly seed: VersionVector | undefined;
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
  beginFor(document: LoroDoc, fate: Fate, detail: RefusalDetail, seed?: VersionVector): void {
    // One that is itself being filled has nothing that the one before it has not.
    if (!this.#isRunning) {
      this.#setAside.push({ detail, document, fate, seed });
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
    let [left, dealtWith]: (VersionVector | undefined)[] = [];
    for (const { detail, document, fate, seed } of this.#setAside) {
      left ??= server.length() === 0 ? seed : undefined;
      const isLost = seed !== undefined && server.length() > 0 && !covers(server, seed);
      dealtWith = isLost ? document.oplogVersion() : dealtWith;
      const joined = isLost ? transplanted(doc, document, seed) : merged(doc, document);
      const whole = fate === "merge" ? joined : undefined;
      doc = whole ?? doc;
      if (fate === "merge" && whole === undefined && unsentOf(document, server) !== undefined) {
        rejections.push({ ...detail, lost: document });
      }
    }
    return { doc, rejections, resets: this.resets(server), dealtWith, seed: left };
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

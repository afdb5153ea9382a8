/** One query of this tab: its answer, who uses it here, and which other tabs follow it. */

import { CorellaError } from "../public/error.js";
import type { TabId } from "../tabs/messages.js";
import { Emitter } from "../util/emitter.js";
import { type Answer, changed, type Difference, replaced } from "./answer.js";
import type { LiveChange, LiveQuery, LiveStatus, Query } from "./types.js";

export interface InstanceOwner {
  /** Nobody uses it any more, here or in another tab. */
  unused(instance: Instance): void;
  reached(seq: number): Promise<void>;
}

export class Instance implements LiveQuery {
  readonly query: Query;
  /** Equal queries are one instance. */
  readonly key: string;
  /** Whether changes of documents are told that do not show in the rows. */
  readonly documents: boolean;
  readonly ready: Promise<void>;
  readonly followers = new Set<TabId>();
  readonly #owner: InstanceOwner;
  readonly #changes = new Emitter<LiveChange | undefined>();
  /** Under what the server knows it, on the present connection. */
  ref: string | undefined;
  #answer: Answer | undefined;
  #status: LiveStatus = { kind: "loading" };
  #users = 0;
  #resolveReady: () => void = () => {};
  #rejectReady: (error: CorellaError) => void = () => {};

  constructor(query: Query, key: string, documents: boolean, owner: InstanceOwner) {
    this.query = query;
    this.key = key;
    this.documents = documents;
    this.#owner = owner;
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve;
      this.#rejectReady = reject;
    });
    // Not everybody waits for it; who does still hears.
    this.ready.catch(() => {});
  }

  get rows(): Answer["rows"] {
    return this.#answer?.rows ?? NO_ROWS;
  }

  get status(): LiveStatus {
    return this.#status;
  }

  get seq(): number {
    return this.#answer?.seq ?? 0;
  }

  get epoch(): string | undefined {
    return this.#answer?.epoch;
  }

  get cursor(): string | undefined {
    return this.#answer?.cursor;
  }

  get answer(): Answer | undefined {
    return this.#answer;
  }

  get isUnused(): boolean {
    return this.#users === 0 && this.followers.size === 0;
  }

  onChange(listener: (change: LiveChange | undefined) => void): () => void {
    return this.#changes.on(listener);
  }

  reached(seq: number): Promise<void> {
    return seq <= this.seq && this.#status.kind === "live" ? Promise.resolve() : this.#owner.reached(seq);
  }

  retain(): this {
    this.#users += 1;
    return this;
  }

  close(): void {
    this.#users = Math.max(0, this.#users - 1);
    this.release();
  }

  release(): void {
    if (this.isUnused) {
      this.#owner.unused(this);
    }
  }

  /** An answer that was kept on this device, where nothing newer is known. */
  recalled(answer: Answer): void {
    if (this.#answer === undefined) {
      this.#answer = answer;
      this.#become({ kind: "stale" });
      this.#resolveReady();
      this.#changes.emit({ upserted: answer.rows, removed: [], isWhole: true });
    }
  }

  /** The server's whole answer, or the leader's copy of it. */
  took(whole: Answer, status: LiveStatus): void {
    const { answer, change } = replaced(this.#answer, whole);
    this.#answer = answer;
    this.#become(status);
    this.#resolveReady();
    this.#changes.emit(change);
  }

  /** `false` when there is no answer to change. */
  differs(seq: number, difference: Difference): boolean {
    if (this.#answer === undefined) {
      return false;
    }
    const { answer, change } = changed(this.#answer, seq, difference);
    this.#answer = answer;
    this.#become(LIVE);
    if (change.upserted.length > 0 || change.removed.length > 0) {
      this.#changes.emit(change);
    } else {
      this.#changes.emit(undefined);
    }
    return true;
  }

  /** A commit that changed nothing in it. */
  passed(seq: number): void {
    if (this.#answer !== undefined && this.#status.kind === "live") {
      this.#answer = { ...this.#answer, seq: Math.max(seq, this.#answer.seq) };
    }
  }

  /** The server refuses to answer. */
  refused(code: string, message: string): void {
    this.ref = undefined;
    this.#become({ kind: "refused", code, message });
    this.#rejectReady(new CorellaError(code, message));
    this.#changes.emit(undefined);
  }

  /** There is no connection any more. */
  left(): void {
    this.ref = undefined;
    if (this.#status.kind === "live") {
      this.#become({ kind: "stale" });
      this.#changes.emit(undefined);
    }
  }

  dispose(): void {
    this.#rejectReady(new CorellaError("query_closed", "The live query was closed before it was answered."));
    this.#changes.clear();
  }

  #become(status: LiveStatus): void {
    this.#status = status;
  }
}

const NO_ROWS: Answer["rows"] = [];
const LIVE: LiveStatus = { kind: "live" };

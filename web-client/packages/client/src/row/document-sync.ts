/** Keeps one document in step with its room on the server. */

import { LoroDoc, VersionVector } from "loro-crdt";

import { backoffMilliseconds } from "../net/backoff.js";
import type { RowRejection, RowReset } from "../public/types.js";
import { unreachable } from "../util/unreachable.js";
import type { AckStatus, BatchId, Payload, Permission, RoomAddress } from "../wire/index.js";
import { Joiner } from "./joiner.js";
import { Outgoing } from "./outgoing.js";
import { needsWords, readJoinRefusal, readRoomRefusal, type Refusal } from "./refusal.js";
import { HISTORY_TRIMMED, unsentOf } from "./reset.js";
import type { Link, RefusalDetail, Room } from "./room.js";
import { covers, decodeVersion } from "./versions.js";

/** After so many attempts in a row that mended nothing the row says so, and goes on trying. */
const SILENT_RETRIES = 6;

/** After so many updates in a row that do not fit, joins in between, the document is fetched anew. */
const UNREADABLE_UPDATES = 2;

/** How long a refusing acknowledgement waits for the words that go with it; some servers send none. */
const WORDS_MILLISECONDS = 250;

const EMPTY_VERSION = Uint8Array.of(0);

/** Where the room stands. */
export type Phase =
  /** No connection. */
  | "away"
  /** The join was sent or waits to be sent. */
  | "joining"
  /** Inside, and still without some of what the server has. */
  | "catching_up"
  | "live"
  /** The server does not let us in. */
  | "shut_out";

/** What a row hears from its document's room. */
export interface DocumentSyncOwner {
  /** Phase, refusal or the count of unconfirmed batches changed. */
  progressed(): void;
  /** The document has all that the server had when it was joined. */
  caughtUp(): void;
  /** Edits were refused for good; `lost` is the document with them, which is no longer kept in step. */
  rejected(rejection: RowRejection): void;
  /** A copy was too old for the server, and was set aside. */
  reset(reset: RowReset): void;
  /** A document without the refused edits stands ready. */
  replaced(doc: LoroDoc): void;
}

/** The `%LOR` room of a row: joins, catches up, relays, and recovers, each time from the two versions alone. */
export class DocumentSync implements Room {
  readonly address: RoomAddress;
  readonly #link: Link;
  readonly #owner: DocumentSyncOwner;
  readonly #joiner: Joiner;
  readonly #outgoing: Outgoing;
  #doc: LoroDoc;
  #unsubscribe: () => void;
  #phase: Phase = "away";
  #permission: Permission = "write";
  #refusal: RefusalDetail | undefined;
  /** The server's words on the room, for a refusal that follows them. */
  #words: RefusalDetail | undefined;
  /** Set while a document is filled that will take the refused one's place. */
  #replacing = false;
  /** Copies that were too old for the server, until it is known what of them it lacks. */
  #setAside: { readonly detail: RefusalDetail; readonly document: LoroDoc }[] = [];
  /** What the server had when it let us in. */
  #target: VersionVector | undefined;
  /** A refusing acknowledgement that waits for the server's words. */
  #unexplained: { readonly batch: BatchId; readonly status: AckStatus; readonly timer: ReturnType<typeof setTimeout> } | undefined;
  #flushScheduled = false;
  #retries = 0;
  #unreadableCount = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  /** After `version_unknown`: join as if we had nothing. */
  #joinEmpty = false;

  constructor(room: string, doc: LoroDoc, link: Link, owner: DocumentSyncOwner) {
    this.address = { magic: "%LOR", room };
    this.#link = link;
    this.#owner = owner;
    this.#joiner = new Joiner(link, this.address);
    this.#outgoing = new Outgoing(this.address, link);
    this.#doc = doc;
    this.#unsubscribe = this.#listen(doc);
  }

  get phase(): Phase {
    return this.#phase;
  }

  get refusal(): RefusalDetail | undefined {
    return this.#refusal;
  }

  /** Batches that were sent, or wait to be, and are not confirmed as durable. */
  get unconfirmedCount(): number {
    return this.#outgoing.unconfirmedCount;
  }

  /** Whether leaving now could lose an edit. */
  get hasUnsavedEdits(): boolean {
    return this.#outgoing.hasUnsavedEdits || this.#setAside.length > 0;
  }

  connected(): void {
    this.#joiner.reset();
    this.#retries = 0;
    this.#joinEmpty = false;
    this.#join();
  }

  disconnected(refusal: RefusalDetail | undefined): void {
    this.#joiner.reset();
    this.#moveOut("away");
    this.#refusal = refusal ?? this.#refusal;
    this.#owner.progressed();
  }

  receive(payload: Payload): void {
    switch (payload.type) {
      case "joined":
        this.#joined(payload.permission, payload.version);
        return;
      case "join_error":
        this.#joinRefused(payload);
        return;
      case "update":
        this.#import(payload.updates, payload.batch);
        return;
      case "ack":
        this.#confirmed(payload.batch, payload.status);
        return;
      case "room_error":
        this.#refused(readRoomRefusal(payload.failure, payload.message, this.#words));
        return;
      case "join":
      case "leave":
      case "fragment_header":
      case "fragment":
        return;
      default:
        unreachable(payload);
    }
  }

  batchLost(): void {
    this.#retry({ code: "fragment_timeout", message: "A large update from the server did not arrive whole." });
  }

  explain(words: RefusalDetail, batch: BatchId | undefined): void {
    if (batch === undefined) {
      this.#words = words;
    } else {
      this.#outgoing.explain(batch, words);
      if (batch === this.#unexplained?.batch) {
        this.#judgeUnexplained();
      }
    }
  }

  /** Sends what waits, then leaves the room for good. */
  leave(): void {
    this.#flush(true);
    this.#tellResets(this.#target ?? new VersionVector(null));
    this.#sendLeave();
    this.#joiner.reset();
    this.#unsubscribe();
    this.#moveOut("away");
  }

  #listen(doc: LoroDoc): () => void {
    return doc.subscribeLocalUpdates(() => {
      this.#outgoing.edited();
      this.#scheduleFlush();
      this.#owner.progressed();
    });
  }

  #isInside(): boolean {
    return this.#phase === "live" || this.#phase === "catching_up";
  }

  #sendLeave(): void {
    if (this.#isInside() || this.#joiner.isAsked) {
      this.#link.send({ ...this.address, type: "leave" });
    }
  }

  #moveOut(phase: Phase): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    clearTimeout(this.#unexplained?.timer);
    this.#unexplained = undefined;
    this.#phase = phase;
    this.#outgoing.stopped();
  }

  #join(): void {
    this.#moveOut("joining");
    this.#joiner.join(
      () => this.#version(),
      (error) => this.#joinFailed(error),
    );
    this.#owner.progressed();
  }

  #version(): Uint8Array {
    return this.#joinEmpty ? EMPTY_VERSION : this.#doc.oplogVersion().encode();
  }

  #joinFailed(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#retry({ code: "join_failed", message: `The row cannot be joined: ${reason}. Check the client's token function.` });
  }

  /** Joins again after a while. Never gives up: edits that wait here exist nowhere else. */
  #retry(reason: RefusalDetail): void {
    if (this.#phase === "away") {
      return;
    }
    this.#moveOut("joining");
    if (this.#retries >= SILENT_RETRIES) {
      this.#refusal = { code: reason.code, message: reason.message };
    }
    const wait = Math.max(backoffMilliseconds(this.#retries), reason.retryAfterMilliseconds ?? 0);
    this.#retryTimer = setTimeout(() => this.#join(), wait);
    this.#retries += 1;
    this.#owner.progressed();
  }

  #refused(refusal: Refusal): void {
    switch (refusal.remedy) {
      case "retry":
        this.#retry(refusal);
        return;
      case "renew":
        if (this.#joinRenewed()) {
          this.#owner.progressed();
        } else {
          this.#shutOut(refusal);
        }
        return;
      case "final":
        this.#shutOut(refusal);
        return;
      default:
        unreachable(refusal.remedy);
    }
  }

  /** Joins with another token; `false` when that was tried before and did not help. */
  #joinRenewed(): boolean {
    this.#moveOut("joining");
    return this.#joiner.joinRenewed(
      () => this.#version(),
      (error) => this.#joinFailed(error),
    );
  }

  #shutOut({ code, message }: RefusalDetail): void {
    this.#moveOut("shut_out");
    this.#refusal = { code, message };
    this.#owner.progressed();
  }

  #joined(permission: Permission, version: Uint8Array): void {
    // An answer that comes before the question was for the handle that had this room before.
    if (this.#phase !== "joining" || !this.#joiner.isAsked) {
      return;
    }
    this.#joiner.answered();
    let target: VersionVector;
    try {
      target = decodeVersion(version);
    } catch {
      this.#retry({ code: "version_unknown", message: "The server's version of this row cannot be read." });
      return;
    }
    this.#phase = "catching_up";
    this.#permission = permission;
    this.#target = target;
    this.#joinEmpty = false;
    this.#words = undefined;
    if (!this.#replacing) {
      this.#refusal = undefined;
    }
    this.#outgoing.started(target);
    this.#flush(true);
    this.#checkCaughtUp();
    this.#owner.progressed();
  }

  #joinRefused({ failure, message }: Extract<Payload, { type: "join_error" }>): void {
    this.#joiner.answered();
    if (failure.kind === "version_unknown" && !this.#joinEmpty) {
      this.#joinEmpty = true;
      this.#join();
      return;
    }
    const refusal = readJoinRefusal(failure, message, this.#words);
    if (refusal.code === HISTORY_TRIMMED) {
      this.#reset(refusal);
    } else {
      this.#refused(refusal);
    }
  }

  #checkCaughtUp(): void {
    if (this.#phase !== "catching_up" || this.#target === undefined || !covers(this.#doc.oplogVersion(), this.#target)) {
      return;
    }
    this.#phase = "live";
    if (this.#outgoing.unconfirmedCount === 0) {
      this.#retries = 0;
    }
    if (this.#replacing) {
      this.#replacing = false;
      this.#refusal = undefined;
      this.#owner.replaced(this.#doc);
      this.#tellResets(this.#doc.oplogVersion());
    }
    this.#owner.caughtUp();
  }

  #import(updates: readonly Uint8Array[], batch: BatchId): void {
    if (!this.#isInside() && this.#phase !== "joining") {
      return;
    }
    // Own edits leave first: after the import everything in the document counts as known to the server.
    if (this.#doc.getPendingTxnLength() > 0) {
      this.#doc.commit();
    }
    this.#flush(true);
    const own = this.#doc.oplogVersion().get(this.#doc.peerIdStr) ?? 0;
    let isComplete: boolean;
    try {
      isComplete = this.#doc.importBatch([...updates]).pending === null;
    } catch {
      this.#link.send({ ...this.address, type: "ack", batch, status: "invalid_update" });
      this.#unreadable({ code: "invalid_update", message: "An update from the server cannot be applied to this document." });
      return;
    }
    if (!this.#isInside()) {
      return;
    }
    this.#outgoing.inStep(this.#doc, own);
    if (isComplete) {
      this.#retries = 0;
      this.#unreadableCount = 0;
    } else if (this.#phase === "live") {
      this.#unreadable({ code: "missing_dependencies", message: "An update from the server builds on one that did not arrive." });
      return;
    }
    this.#flush(false);
    this.#checkCaughtUp();
    this.#owner.progressed();
  }

  /** A new join may bring the same operations in readable form; after that the document itself is in doubt. */
  #unreadable(reason: RefusalDetail): void {
    this.#unreadableCount += 1;
    if (this.#unreadableCount <= UNREADABLE_UPDATES || this.#replacing) {
      this.#retry(reason);
    } else {
      this.#unreadableCount = 0;
      this.#discard(reason);
    }
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) {
      return;
    }
    this.#flushScheduled = true;
    // All commits of one tick leave together.
    queueMicrotask(() => {
      this.#flushScheduled = false;
      this.#flush(false);
      this.#owner.progressed();
    });
  }

  #flush(atOnce: boolean): void {
    if (this.#permission === "read" && this.#outgoing.isBehind(this.#doc)) {
      this.#discard({ code: "forbidden", message: "You may read this row, not change it." });
    } else {
      this.#outgoing.send(this.#doc, atOnce);
    }
  }

  #confirmed(batch: BatchId, status: AckStatus): void {
    // What comes after a refusal builds on what was refused: one judgement serves for all.
    if (this.#unexplained !== undefined || !this.#outgoing.awaits(batch)) {
      return;
    }
    if (needsWords(status) && !this.#outgoing.isExplained(batch)) {
      const timer = setTimeout(() => this.#judgeUnexplained(), WORDS_MILLISECONDS);
      this.#unexplained = { batch, status, timer };
    } else {
      this.#judge(batch, status);
    }
  }

  #judgeUnexplained(): void {
    const held = this.#unexplained;
    if (held !== undefined) {
      clearTimeout(held.timer);
      this.#unexplained = undefined;
      this.#judge(held.batch, held.status);
    }
  }

  #judge(batch: BatchId, status: AckStatus): void {
    const answer = this.#outgoing.confirm(batch, status);
    if (answer === undefined) {
      return;
    }
    if (answer === "ok") {
      this.#retries = 0;
      this.#joiner.trusted();
      this.#flush(false);
      this.#owner.progressed();
    } else if (answer.code === HISTORY_TRIMMED) {
      this.#reset(answer);
    } else if (answer.remedy === "final") {
      this.#discard(answer);
    } else {
      this.#refused(answer);
    }
  }

  /**
   * Gives the document up and fetches the row anew.
   *
   * A refused edit stays in the document's history, and all later ones build on it: keeping it would have every
   * further edit refused as well.
   */
  #discard({ code, message }: RefusalDetail): void {
    const lost = this.#doc;
    this.#renew({ code, message });
    this.#owner.rejected({ code, message, lost });
    this.#join();
  }

  /** Sets a copy aside that is too old, and fetches the row anew; what the server lacks is told when that is known. */
  #reset({ code, message }: RefusalDetail): void {
    this.#setAside.push({ detail: { code, message }, document: this.#doc });
    this.#renew({ code, message });
    this.#join();
  }

  #tellResets(server: VersionVector): void {
    const setAside = this.#setAside;
    this.#setAside = [];
    for (const { detail, document } of setAside) {
      this.#owner.reset({ code: detail.code, message: detail.message, document, unsent: unsentOf(document, server) });
    }
  }

  /** Leaves with the document, and begins another one. */
  #renew(reason: RefusalDetail): void {
    this.#sendLeave();
    this.#unsubscribe();
    this.#outgoing.abandoned();
    this.#doc = new LoroDoc();
    this.#unsubscribe = this.#listen(this.#doc);
    this.#replacing = true;
    this.#refusal = reason;
  }
}

/** Keeps one document in step with its room on the server. */

import { LoroDoc, VersionVector } from "loro-crdt";

import type { RowRejection, RowReset } from "../public/types.js";
import { unreachable } from "../util/unreachable.js";
import type { AckStatus, BatchId, Payload, RoomAddress } from "../wire/index.js";
import { Joiner } from "./joiner.js";
import { Ladder, type LadderOwner } from "./ladder.js";
import { Outgoing } from "./outgoing.js";
import { ALREADY_SEEDED, readJoinRefusal, readRoomRefusal } from "./refusal.js";
import { type Fate, Replacement } from "./replacement.js";
import type { Link, RefusalDetail, Room } from "./room.js";
import type { Phase, RowSync } from "./row-sync.js";
import { Verdicts } from "./verdicts.js";
import { covers, decodeVersion } from "./versions.js";

const SEEDED_BY_OTHERS: RefusalDetail = {
  code: ALREADY_SEEDED,
  message: "Somebody else has filled this document, which has no place for what was written here.",
};

const EMPTY_VERSION = Uint8Array.of(0);

/** What a row hears from its document's room. */
export interface DocumentSyncOwner {
  /** Phase, refusal, or what is unconfirmed or durable changed. */
  progressed(): void;
  /** These updates from the server are in the document now. */
  received(updates: readonly Uint8Array[]): void;
  /** The document has all that the server had when it was joined. */
  caughtUp(): void;
  /** Edits were refused for good; `lost` is the document with them, which is no longer kept in step. */
  rejected(rejection: RowRejection): void;
  /** A copy was too old for the server, and was set aside. */
  reset(reset: RowReset): void;
  /**
   * Another document stands ready: without the refused edits, or with the server's state below the unsent ones. What of
   * the one before is within `dealtWith` is in it in another form, or was handed over.
   */
  replaced(doc: LoroDoc, dealtWith: VersionVector | undefined): void;
}

/** The `%LOR` room of a row: joins, catches up, relays, and recovers, each time from the two versions alone. */
export class DocumentSync implements Room, RowSync {
  readonly address: RoomAddress;
  readonly #link: Link;
  readonly #owner: DocumentSyncOwner;
  readonly #joiner: Joiner;
  readonly #outgoing: Outgoing;
  #doc: LoroDoc;
  #phase: Phase = "away";
  #refusal: RefusalDetail | undefined;
  /** The server's words on the room, for a refusal that follows them. */
  #words: RefusalDetail | undefined;
  readonly #replacement = new Replacement();
  /** What the server had when it let us in. */
  #target: VersionVector | undefined;
  readonly #ladder = new Ladder(this.#rungs());
  readonly #verdicts = new Verdicts((batch, status) => this.#judge(batch, status));
  #flushScheduled = false;
  /** The server's epoch when the document was last in step with it. */
  #epoch: string | undefined;

  /**
   * @param epoch the epoch of the server that the document is from, where it was kept.
   * @param seed what of the document fills it, where the server does not have it yet.
   */
  constructor(room: string, doc: LoroDoc, link: Link, owner: DocumentSyncOwner, epoch?: string, seed?: VersionVector) {
    this.address = { magic: "%LOR", room };
    this.#link = link;
    this.#owner = owner;
    this.#joiner = new Joiner(link, this.address);
    this.#outgoing = new Outgoing(this.address, link);
    this.#doc = doc;
    this.#epoch = epoch;
    this.#outgoing.seeded(seed);
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
    return this.#outgoing.hasUnsavedEdits || this.#replacement.holdsEdits;
  }

  get durable(): VersionVector {
    return this.#outgoing.durable;
  }

  get epoch(): string | undefined {
    return this.#epoch;
  }

  /** The document, which was empty, was filled on this device. {@link edited} follows. */
  seeded(seed: VersionVector): void {
    if (!this.#replacement.isRunning) {
      this.#outgoing.seeded(seed);
    }
  }

  /** The document was edited on this device, here or in another tab. */
  edited(): void {
    // What is written while another document is being filled is merged into that one, or handed over with the old one.
    if (this.#replacement.isRunning) {
      return;
    }
    this.#outgoing.edited();
    this.#scheduleFlush();
    this.#owner.progressed();
  }

  connected(): void {
    this.#joiner.reset();
    this.#ladder.connected();
    if (!this.#rebuildIfOtherEpoch()) {
      this.#join();
    }
  }

  epochLearned(): void {
    if (this.#phase !== "away") {
      this.#rebuildIfOtherEpoch();
    }
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
        this.#joined(payload.version);
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
        this.#ladder.refused(readRoomRefusal(payload.failure, payload.message, this.#words));
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
    this.#ladder.retry({ code: "fragment_timeout", message: "A large update from the server did not arrive whole." });
  }

  explain(words: RefusalDetail, batch: BatchId | undefined): void {
    if (batch === undefined) {
      this.#words = words;
    } else {
      this.#outgoing.explain(batch, words);
      this.#verdicts.explained(batch);
    }
  }

  /** Sends what waits, then leaves the room for good. */
  leave(): void {
    this.#flush(true);
    this.#replacement.resets(this.#target ?? new VersionVector(null)).forEach((reset) => this.#owner.reset(reset));
    this.#sendLeave();
    this.detach();
  }

  /** Stops without a word. */
  detach(): void {
    this.#joiner.reset();
    this.#moveOut("away");
  }

  /** The rungs of the ladder. */
  #rungs(): LadderOwner {
    const sync = this;
    return {
      get isConnected() {
        return sync.#phase !== "away";
      },
      get isInside() {
        return sync.#isInside();
      },
      get isReplacing() {
        return sync.#replacement.isRunning;
      },
      pause: () => {
        this.#verdicts.clear();
        this.#outgoing.pause();
        this.#owner.progressed();
      },
      resend: () => {
        this.#outgoing.rewind();
        this.#flush(false);
        this.#owner.progressed();
      },
      stepOut: (told) => {
        this.#moveOut("joining");
        this.#refusal = told ?? this.#refusal;
        this.#owner.progressed();
      },
      rejoin: () => this.#join(),
      rejoinRenewed: () => this.#joinRenewed(),
      replace: (fate, reason) => this.#replace(fate, reason),
      shutOut: (reason) => this.#shutOut(reason),
    };
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
    this.#ladder.stop();
    this.#verdicts.clear();
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
    const version = this.#doc.oplogVersion();
    return version.length() === 0 ? EMPTY_VERSION : version.encode();
  }

  #joinFailed(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#ladder.retry({ code: "join_failed", message: `The row cannot be joined: ${reason}. Check the client's token function.` });
  }

  /** Joins with another token; `false` when that was tried before and did not help. */
  #joinRenewed(): boolean {
    this.#moveOut("joining");
    const isUnderWay = this.#joiner.joinRenewed(
      () => this.#version(),
      (error) => this.#joinFailed(error),
    );
    if (isUnderWay) {
      this.#owner.progressed();
    }
    return isUnderWay;
  }

  #shutOut({ code, message }: RefusalDetail): void {
    this.#moveOut("shut_out");
    this.#refusal = { code, message };
    this.#owner.progressed();
  }

  /** Whatever the answer says of writing: it is what held at the join, and the server says of each edit what holds then. */
  #joined(version: Uint8Array): void {
    // An answer that comes before the question was for the handle that had this room before.
    if (this.#phase !== "joining" || !this.#joiner.isAsked) {
      return;
    }
    this.#joiner.answered();
    let target: VersionVector;
    try {
      target = decodeVersion(version);
    } catch {
      this.#ladder.retry({ code: "version_unknown", message: "The server's version of this row cannot be read." });
      return;
    }
    this.#phase = "catching_up";
    this.#target = target;
    this.#words = undefined;
    if (!this.#replacement.isRunning) {
      this.#refusal = undefined;
    }
    this.#outgoing.started(target);
    this.#flush(true);
    this.#checkCaughtUp();
    this.#owner.progressed();
  }

  #joinRefused({ failure, message }: Extract<Payload, { type: "join_error" }>): void {
    this.#joiner.answered();
    this.#ladder.refused(readJoinRefusal(failure, message, this.#words));
  }

  #checkCaughtUp(): void {
    if (this.#phase !== "catching_up" || this.#target === undefined || !covers(this.#doc.oplogVersion(), this.#target)) {
      return;
    }
    this.#phase = "live";
    if (this.#outgoing.unconfirmedCount === 0) {
      this.#ladder.caughtUp();
    }
    this.#epoch = this.#link.epoch ?? this.#epoch;
    if (this.#replacement.isRunning) {
      this.#finishReplacing();
    }
    this.#owner.caughtUp();
  }

  #finishReplacing(): void {
    this.#refusal = undefined;
    const { doc, rejections, resets, dealtWith, seed } = this.#replacement.finish(this.#doc);
    this.#doc = doc;
    this.#outgoing.seeded(seed);
    this.#owner.replaced(doc, dealtWith);
    rejections.forEach((rejection) => this.#owner.rejected(rejection));
    resets.forEach((reset) => this.#owner.reset(reset));
    if (this.#outgoing.isBehind(doc)) {
      this.edited();
    }
  }

  #import(updates: readonly Uint8Array[], batch: BatchId): void {
    if (!this.#isInside() && this.#phase !== "joining") {
      return;
    }
    if (this.#outgoing.seed !== undefined && this.#isInside() && !this.#replacement.isRunning) {
      // Before the two fillings are in one document.
      this.#replace("merge", SEEDED_BY_OTHERS);
      return;
    }
    let isComplete: boolean;
    try {
      isComplete = this.#doc.importBatch([...updates]).pending === null;
    } catch {
      this.#link.send({ ...this.address, type: "ack", batch, status: "invalid_update" });
      this.#ladder.unreadable({ code: "invalid_update", message: "An update from the server cannot be applied to this document." });
      return;
    }
    if (!this.#replacement.isRunning) {
      this.#owner.received(updates);
    }
    if (!this.#isInside()) {
      return;
    }
    if (isComplete) {
      this.#outgoing.inStep(updates);
      this.#ladder.received();
    } else if (this.#phase === "live") {
      this.#ladder.unreadable({ code: "missing_dependencies", message: "An update from the server builds on one that did not arrive." });
      return;
    }
    this.#flush(false);
    this.#checkCaughtUp();
    this.#owner.progressed();
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
    if (this.#outgoing.isSeedLost) {
      this.#replace("merge", SEEDED_BY_OTHERS);
    } else {
      this.#outgoing.send(this.#doc, atOnce);
    }
  }

  #confirmed(batch: BatchId, status: AckStatus): void {
    if (this.#outgoing.awaits(batch)) {
      this.#verdicts.acknowledged(batch, status, this.#outgoing.isExplained(batch));
    }
  }

  #judge(batch: BatchId, status: AckStatus): void {
    const answer = this.#outgoing.confirm(batch, status);
    if (answer === undefined) {
      return;
    }
    if (answer === "ok") {
      this.#ladder.confirmed();
      this.#joiner.trusted();
      this.#flush(false);
      this.#owner.progressed();
    } else if (answer.remedy === "final") {
      this.#discard(answer);
    } else if (answer.code === "missing_dependencies") {
      this.#ladder.unreadable(answer);
    } else {
      this.#ladder.refused(answer);
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

  /** Sets the present document aside, and fetches the row anew. */
  #replace(fate: Fate, { code, message }: RefusalDetail): void {
    this.#replacement.beginFor(this.#doc, fate, { code, message }, this.#outgoing.seed);
    // Somebody else was first: that is nothing to be told of.
    this.#renew(code === ALREADY_SEEDED ? undefined : { code, message });
    this.#join();
  }

  /** Whether the server is another one than the document is from, such as one restored from a backup. */
  #rebuildIfOtherEpoch(): boolean {
    const [mine, theirs] = [this.#epoch, this.#link.epoch];
    if (mine === undefined || theirs === undefined || mine === theirs || this.#replacement.isRunning) {
      return false;
    }
    this.#epoch = theirs;
    this.#replace("merge", { code: "replica_diverged", message: "The server was restored, and these edits do not fit to what it has now." });
    return true;
  }

  /** Leaves with the document, and begins another one. */
  #renew(reason: RefusalDetail | undefined): void {
    this.#sendLeave();
    this.#outgoing.abandoned();
    this.#doc = new LoroDoc();
    this.#replacement.begin();
    this.#refusal = reason;
  }
}

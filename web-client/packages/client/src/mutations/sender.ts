/** Sends the stored mutations of all tabs, in bounded pieces and in their order, until each has its answer. */

import type { MutationAnswer } from "../engine/uplink.js";
import { backoffMilliseconds } from "../net/backoff.js";
import type { MutationOutcome, Row } from "../public/types.js";
import { remedyFor } from "../row/refusal.js";
import type { Keeper } from "../storage/keeper.js";
import type { StoredMutation } from "../storage/port.js";
import { textOfMutation } from "./text.js";

/** So many are read from storage at once, and no more are held in memory. */
const READ_TOGETHER = 256;

/** So many, and so many characters, are on their way at once. */
const UNDER_WAY = 64;
const CHARACTERS_UNDER_WAY = 256 * 1024;

export interface MutationSenderOwner {
  send(text: string): void;
  /** The token was refused: another one is asked for, and {@link MutationSender.authorized} follows. */
  renew(): void;
  settled(outcome: MutationOutcome): void;
  refused(mutation: StoredMutation, code: string, message: string): void;
}

interface Underway {
  readonly mutation: StoredMutation;
  readonly length: number;
}

/**
 * Mutations leave in the order in which they were made. Two of one row are never under way together, so that one that has
 * to be sent again is not overtaken by a later one of its row.
 */
export class MutationSender {
  readonly #keeper: Keeper;
  readonly #owner: MutationSenderOwner;
  readonly #underway = new Map<string, Underway>();
  readonly #rows = new Set<string>();
  /** Answered, and not yet out of the store. */
  readonly #answered = new Set<string>();
  /** What the store did not take. */
  readonly #volatile = new Map<string, StoredMutation>();
  #buffer: StoredMutation[] = [];
  #place = 0;
  #mayHaveMore = true;
  #reading = false;
  #authorized = false;
  #pause: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #length = 0;
  /** Grows when the reading starts over: what was read before is of no use then. */
  #round = 0;

  constructor(keeper: Keeper, owner: MutationSenderOwner) {
    this.#keeper = keeper;
    this.#owner = owner;
  }

  /** The server knows who is calling. */
  authorized(): void {
    this.#authorized = true;
    this.#startOver();
  }

  disconnected(): void {
    this.#authorized = false;
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#failures = 0;
  }

  /** There is a new one in the store. */
  stored(): void {
    this.#mayHaveMore = true;
    this.#pump();
  }

  /** There is a new one that the store did not take. */
  queued(mutation: StoredMutation): void {
    this.#volatile.set(mutation.key, mutation);
    this.#buffer.push(mutation);
    this.#pump();
  }

  answered(answer: MutationAnswer): void {
    const underway = this.#underway.get(answer.ref);
    if (underway === undefined) {
      return;
    }
    const { mutation } = underway;
    if (answer.type === "result") {
      this.#failures = 0;
      this.#settle(mutation, { kind: "done", key: mutation.key, result: { id: answer.id, row: answer.row as Row | null, seq: answer.seq } });
    } else {
      this.#refused(mutation, answer);
    }
    this.#pump();
  }

  #refused(mutation: StoredMutation, answer: Extract<MutationAnswer, { type: "error" }>): void {
    const remedy = remedyFor(answer.code, "final");
    if (remedy === "final") {
      this.#owner.refused(mutation, answer.code, answer.message);
      this.#settle(mutation, { kind: "refused", key: mutation.key, code: answer.code, message: answer.message });
      return;
    }
    // Whatever was sent behind it is sent again with it; the keys make sure that nothing is done twice.
    this.#authorized = false;
    if (remedy === "renew") {
      this.#owner.renew();
      return;
    }
    const wait = Math.max(backoffMilliseconds(this.#failures), answer.retryAfterMilliseconds);
    this.#failures += 1;
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => this.authorized(), wait);
  }

  #settle(mutation: StoredMutation, outcome: MutationOutcome): void {
    this.#forget(mutation);
    this.#volatile.delete(mutation.key);
    this.#answered.add(mutation.key);
    void this.#keeper.write({ type: "dequeue", key: mutation.key }).then(() => this.#answered.delete(mutation.key));
    this.#owner.settled(outcome);
  }

  #forget(mutation: StoredMutation): void {
    const underway = this.#underway.get(mutation.key);
    if (underway !== undefined) {
      this.#underway.delete(mutation.key);
      this.#length -= underway.length;
      this.#rows.delete(rowOf(mutation));
    }
  }

  #startOver(): void {
    this.#underway.clear();
    this.#rows.clear();
    this.#length = 0;
    this.#buffer = [...this.#volatile.values()];
    this.#place = 0;
    this.#mayHaveMore = true;
    this.#round += 1;
    this.#reading = false;
    this.#pump();
  }

  #pump(): void {
    if (!this.#authorized) {
      return;
    }
    const held = new Set<string>();
    const rest: StoredMutation[] = [];
    for (const mutation of this.#buffer) {
      const row = rowOf(mutation);
      const isFull = this.#underway.size >= UNDER_WAY || this.#length >= CHARACTERS_UNDER_WAY;
      if (isFull || this.#rows.has(row) || held.has(row)) {
        held.add(row);
        rest.push(mutation);
      } else {
        this.#send(mutation);
      }
    }
    this.#buffer = rest;
    if (this.#buffer.length < READ_TOGETHER / 2 && this.#mayHaveMore && !this.#reading) {
      void this.#read();
    }
  }

  #send(mutation: StoredMutation): void {
    const text = textOfMutation(mutation);
    this.#underway.set(mutation.key, { mutation, length: text.length });
    this.#rows.add(rowOf(mutation));
    this.#length += text.length;
    this.#owner.send(text);
  }

  async #read(): Promise<void> {
    const round = this.#round;
    this.#reading = true;
    this.#mayHaveMore = false;
    let entries: Awaited<ReturnType<Keeper["storage"]["mutations"]>>;
    try {
      entries = await this.#keeper.storage.mutations(this.#place, READ_TOGETHER);
    } catch {
      // The next mutation, or the next connection, tries again.
      entries = [];
      this.#mayHaveMore = true;
    }
    if (round !== this.#round) {
      return;
    }
    this.#reading = false;
    for (const { place, mutation } of entries) {
      this.#place = place;
      if (!this.#answered.has(mutation.key) && !this.#underway.has(mutation.key) && !this.#volatile.has(mutation.key)) {
        this.#buffer.push(mutation);
      }
    }
    this.#mayHaveMore ||= entries.length === READ_TOGETHER;
    if (entries.length > 0) {
      this.#pump();
    }
  }
}

function rowOf({ entity, id }: StoredMutation): string {
  return `${entity}/${id}`;
}

/** The mutations that wait for the server, those of earlier pages and of other tabs too: for lists that show them already. */

import { type CorellaClient, engineOf } from "../client.js";
import { toMutation } from "../mutations/queue.js";
import type { Mutation, MutationOutcome, Unsubscribe } from "../public/types.js";

/** So many are read from storage at once. */
const READ_TOGETHER = 256;

/** A mutation that the server has not answered. */
export interface WaitingMutation {
  /** Its idempotency key, as `mutate` gave it. */
  readonly key: string;
  readonly mutation: Mutation;
}

/** Who hears of mutations that wait. */
export interface WaitingListener {
  /** These wait, in the order in which they were made. */
  waiting(mutations: readonly WaitingMutation[]): void;
  /** These wait no longer: the answers of live queries have them, or the server has refused them. */
  ended(keys: readonly string[]): void;
}

export class Waiting {
  readonly #engine: ReturnType<typeof engineOf>;
  readonly #reached: (seq: number) => Promise<void>;
  readonly #listener: WaitingListener;
  readonly #stops: readonly Unsubscribe[];
  /** Told, and whether the server has answered. */
  readonly #told = new Map<string, "waiting" | "answered">();
  /** Answered while storage is read, which may still have them. */
  readonly #answered = new Set<string>();
  #place = 0;
  #isReading = false;
  #readAgain = false;
  #closed = false;

  constructor(client: CorellaClient, listener: WaitingListener, reached: (seq: number) => Promise<void>) {
    this.#engine = engineOf(client);
    this.#listener = listener;
    this.#reached = reached;
    this.#stops = [client.onSettled((outcome) => this.#settled(outcome)), client.onSync(() => void this.#read())];
    void this.#read();
  }

  close(): void {
    this.#closed = true;
    this.#stops.forEach((stop) => stop());
  }

  async #read(): Promise<void> {
    this.#readAgain = true;
    if (this.#isReading) {
      return;
    }
    this.#isReading = true;
    try {
      while (this.#readAgain && !this.#closed) {
        this.#readAgain = false;
        await this.#readOn();
      }
    } catch {
      // The storage's own status tells what ails it; the next change tries again.
    }
    this.#answered.clear();
    this.#isReading = false;
  }

  async #readOn(): Promise<void> {
    const { keeper } = this.#engine;
    await keeper.flushed();
    const before = [...this.#told].filter(([, state]) => state === "waiting").map(([key]) => key);
    for (let isWhole = false; !isWhole && !this.#closed; ) {
      const entries = await keeper.storage.mutations(this.#place, READ_TOGETHER);
      isWhole = entries.length < READ_TOGETHER;
      this.#place = entries.at(-1)?.place ?? this.#place;
      const fresh = entries.map(({ mutation }) => mutation).filter(({ key }) => !this.#answered.has(key));
      fresh.forEach(({ key }) => this.#told.set(key, "waiting"));
      if (fresh.length > 0 && !this.#closed) {
        this.#listener.waiting(fresh.map((stored) => ({ key: stored.key, mutation: toMutation(stored) })));
      }
    }
    // Whatever was missed of an answer that another tab got is made good when nothing waits any more.
    if (before.length > 0 && (await keeper.storage.mutationCount()) === 0) {
      this.#end(before.filter((key) => this.#told.get(key) === "waiting"));
    }
  }

  #settled(outcome: MutationOutcome): void {
    const { key } = outcome;
    if (!this.#told.has(key)) {
      if (this.#isReading) {
        this.#answered.add(key);
      }
      return;
    }
    this.#told.set(key, "answered");
    const end = (): void => this.#end([key]);
    if (outcome.kind === "done") {
      this.#reached(outcome.result.seq).then(end, end);
    } else {
      end();
    }
  }

  #end(keys: readonly string[]): void {
    keys.forEach((key) => this.#told.delete(key));
    if (keys.length > 0 && !this.#closed) {
      this.#listener.ended(keys);
    }
  }
}

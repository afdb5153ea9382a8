/** The sender of mutations, loaded when there is something to send: many pages never have anything. */

import type { MutationAnswer } from "../engine/uplink.js";
import type { Keeper } from "../storage/keeper.js";
import type { StoredMutation } from "../storage/port.js";
import type { MutationSender, MutationSenderOwner } from "./sender.js";

export class SenderOnDemand {
  readonly #keeper: Keeper;
  readonly #owner: MutationSenderOwner;
  #loading: Promise<void> | undefined;
  #sender: MutationSender | undefined;
  #isAuthorized = false;
  /** What is done with the sender when it is here. */
  readonly #waiting: ((sender: MutationSender) => void)[] = [];

  constructor(keeper: Keeper, owner: MutationSenderOwner) {
    this.#keeper = keeper;
    this.#owner = owner;
  }

  /** The server knows who is calling. */
  authorized(): void {
    this.#isAuthorized = true;
    if (this.#sender !== undefined) {
      this.#sender.authorized();
    } else {
      void this.#keeper.storage.mutationCount().then((count) => (count > 0 || this.#waiting.length > 0) && this.#use(() => {}), () => {});
    }
  }

  disconnected(): void {
    this.#isAuthorized = false;
    this.#sender?.disconnected();
  }

  /** There is a new one in the store. */
  stored(): void {
    this.#use((sender) => sender.stored());
  }

  /** There is a new one that the store did not take. */
  queued(mutation: StoredMutation): void {
    this.#use((sender) => sender.queued(mutation));
  }

  answered(answer: MutationAnswer): void {
    this.#sender?.answered(answer);
  }

  #use(then: (sender: MutationSender) => void): void {
    if (this.#sender !== undefined) {
      then(this.#sender);
      return;
    }
    this.#waiting.push(then);
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
  }

  async #load(): Promise<void> {
    let module: typeof import("./sender.js");
    try {
      module = await import("./sender.js");
    } catch {
      // Without a network there is nothing to send with either; the next connection tries again.
      return;
    }
    const sender = new module.MutationSender(this.#keeper, this.#owner);
    this.#sender = sender;
    if (this.#isAuthorized) {
      sender.authorized();
    }
    this.#waiting.splice(0).forEach((then) => then(sender));
  }
}

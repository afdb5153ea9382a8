/** A list of listeners of one event. */

import type { Unsubscribe } from "../public/types.js";

/** Calls its listeners in the order in which they came. */
export class Emitter<Event> {
  readonly #listeners = new Set<{ readonly call: (event: Event) => void }>();

  /** Adds a listener. The same function added twice is called twice. */
  on(listener: (event: Event) => void): Unsubscribe {
    const entry = { call: listener };
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  /**
   * Calls every listener.
   *
   * A listener that throws must not keep the socket handler from its work, nor the other listeners from theirs:
   * its error is reported from a task of its own, where the platform shows it as any uncaught error.
   */
  emit(event: Event): void {
    for (const entry of [...this.#listeners]) {
      try {
        entry.call(event);
      } catch (error) {
        setTimeout(() => {
          throw error;
        }, 0);
      }
    }
  }

  /** Whether anybody listens. */
  get isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  clear(): void {
    this.#listeners.clear();
  }
}

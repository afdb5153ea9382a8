/** Several tabs in one process: locks that are passed on, and a channel that reaches everybody else. */

import type { Channel, TabPlatform } from "../../src/index.js";

interface Held {
  readonly held: () => Promise<void>;
  readonly finish: () => void;
}

/** One browser. Each of its `tab()`s is the platform of one tab, and can crash. */
export class FakeBrowser {
  readonly #locks = new Map<string, Held[]>();
  readonly #channels = new Set<{ readonly name: string; readonly channel: Channel }>();

  /** `crash` takes the tab's locks and channels away, and tells it nothing. */
  tab(): TabPlatform & { readonly crash: () => void } {
    const own: (() => void)[] = [];
    return {
      locks: {
        request: (name, { signal }, held) =>
          new Promise<void>((resolve, reject) => {
            const entry: Held = { held, finish: resolve };
            const queue = this.#locks.get(name) ?? [];
            this.#locks.set(name, queue);
            queue.push(entry);
            own.push(() => this.#drop(name, entry));
            signal.addEventListener("abort", () => {
              if (queue[0] !== entry) {
                this.#drop(name, entry);
                reject(new DOMException("ended", "AbortError"));
              }
            });
            if (queue.length === 1) {
              this.#grant(name);
            }
          }),
      },
      openChannel: (name) => {
        const entry = {
          name,
          channel: {
            onmessage: null,
            postMessage: (message: unknown) => {
              const data: unknown = structuredClone(message);
              for (const other of [...this.#channels]) {
                if (other !== entry && other.name === name && this.#channels.has(entry)) {
                  queueMicrotask(() => {
                    if (this.#channels.has(other)) {
                      other.channel.onmessage?.({ data });
                    }
                  });
                }
              }
            },
            close: () => this.#channels.delete(entry),
          } as Channel,
        };
        this.#channels.add(entry);
        own.push(() => this.#channels.delete(entry));
        return entry.channel;
      },
      crash: () => own.splice(0).forEach((end) => end()),
    };
  }

  #grant(name: string): void {
    const [entry] = this.#locks.get(name) ?? [];
    if (entry === undefined) {
      return;
    }
    queueMicrotask(() => {
      void entry.held().then(() => {
        this.#drop(name, entry);
        entry.finish();
      });
    });
  }

  #drop(name: string, entry: Held): void {
    const queue = this.#locks.get(name) ?? [];
    const wasFirst = queue[0] === entry;
    if (queue.includes(entry)) {
      queue.splice(queue.indexOf(entry), 1);
    }
    if (wasFirst) {
      this.#grant(name);
    }
  }
}

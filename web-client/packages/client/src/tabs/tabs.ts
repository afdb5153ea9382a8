/** One tab among the tabs of one user: finds the others, and out which of them holds the connection. */

import { parseTabMessage, type TabId, type TabMessage, type TabWords } from "./messages.js";
import type { Channel, TabPlatform } from "./platform.js";
import { uuid7 } from "../util/uuid.js";

/** `undecided` until the lock is ours or another tab has said that it is theirs. */
export type TabRole = "undecided" | "leader" | "follower";

export interface TabsOwner {
  roleChanged(role: TabRole): void;
  heard(message: TabMessage): void;
  /** A tab is gone, closed or crashed. Only the leader hears of it. */
  gone(tab: TabId): void;
}

/** A tab that is alone leads from the start, and talks to nobody. */
export class Tabs {
  readonly id: TabId = uuid7();
  readonly #name: string;
  readonly #owner: TabsOwner;
  readonly #platform: TabPlatform | undefined;
  readonly #end = new AbortController();
  readonly #watched = new Set<TabId>();
  #channel: Channel | undefined;
  #release: () => void = () => {};
  #role: TabRole = "undecided";

  constructor(name: string, platform: TabPlatform | undefined, owner: TabsOwner) {
    this.#name = name;
    this.#platform = platform;
    this.#owner = owner;
  }

  get role(): TabRole {
    return this.#role;
  }

  /** Begins to look for the others. */
  start(): void {
    const platform = this.#platform;
    if (platform === undefined) {
      this.#become("leader");
      return;
    }
    this.#channel = platform.openChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#heard(data);
    // Held for as long as the tab lives: whoever else gets it knows that the tab is gone.
    this.#hold(platform, tabLock(this.#name, this.id), () => this.post({ type: "hello" }));
    this.#hold(platform, this.#name, () => this.#become("leader"));
  }

  post(words: TabWords): void {
    this.#channel?.postMessage({ ...words, from: this.id });
  }

  /** Does `work` while no other tab does something under the same name. Whoever crashes in it lets the next one in. */
  async exclusively(name: string, work: () => Promise<void>): Promise<void> {
    if (this.#platform === undefined) {
      await work();
    } else {
      // A wait that the end of this tab breaks off is no failure.
      await this.#platform.locks.request(`${this.#name}/${name}`, { signal: this.#end.signal }, work).catch(() => {});
    }
  }

  close(): void {
    this.#end.abort();
    this.#release();
    this.#channel?.close();
    this.#channel = undefined;
  }

  #hold(platform: TabPlatform, lock: string, then: () => void): void {
    const until = new Promise<void>((resolve) => {
      const before = this.#release;
      this.#release = () => {
        before();
        resolve();
      };
    });
    this.#request(platform, lock, () => {
      then();
      return until;
    });
  }

  #request(platform: TabPlatform, lock: string, held: () => Promise<void>): void {
    platform.locks
      .request(lock, { signal: this.#end.signal }, () => (this.#end.signal.aborted ? Promise.resolve() : held()))
      .catch((error: unknown) => {
        // An ended wait is no failure; whatever else it is, the application's console should have it.
        if (!this.#end.signal.aborted) {
          throw error;
        }
      });
  }

  #heard(data: unknown): void {
    const message = parseTabMessage(data);
    if (message === undefined || this.#end.signal.aborted) {
      return;
    }
    if (this.#role === "undecided" && message.type === "leader") {
      this.#become("follower");
    }
    if (this.#role === "leader") {
      this.#watch(message.from);
    }
    this.#owner.heard(message);
  }

  #watch(tab: TabId): void {
    const platform = this.#platform;
    if (platform === undefined || this.#watched.has(tab)) {
      return;
    }
    this.#watched.add(tab);
    this.#request(platform, tabLock(this.#name, tab), async () => {
      this.#watched.delete(tab);
      this.#owner.gone(tab);
    });
  }

  #become(role: TabRole): void {
    if (role !== this.#role) {
      this.#role = role;
      this.#owner.roleChanged(role);
    }
  }
}

function tabLock(name: string, tab: TabId): string {
  return `${name}/tab/${tab}`;
}

/** Who is at a row, as this tab sees it, and what this tab says of itself. */

import { EphemeralStore } from "loro-crdt";

/** Entries older than this vanish from every store; own ones are renewed in half the time. */
const TIMEOUT_MILLISECONDS = 30_000;

export interface PresenceOwner {
  /** Something was set or taken back here: all that can carry it further do. */
  said(update: Uint8Array): void;
  changed(): void;
}

/** The store, and which of its keys are this tab's own. */
export class RowPresence {
  readonly store = new EphemeralStore(TIMEOUT_MILLISECONDS);
  readonly #ownKeys = new Set<string>();
  /** The keys of other tabs, for whoever has to take them back when the tab is gone. */
  readonly #keysOfTabs = new Map<string, Set<string>>();
  readonly #unsubscribe: readonly (() => void)[];
  readonly #renewal: ReturnType<typeof setInterval>;
  #applyingFor: string | undefined;

  constructor(owner: PresenceOwner) {
    this.#unsubscribe = [
      this.store.subscribeLocalUpdates((update) => owner.said(update)),
      this.store.subscribe((event) => {
        this.#note(event.by === "local" ? this.#ownKeys : this.#keysOf(this.#applyingFor), event);
        owner.changed();
      }),
    ];
    this.#renewal = setInterval(() => this.#renew(), TIMEOUT_MILLISECONDS / 2);
  }

  /** What somebody else says; `tab` if it is a tab of this browser. */
  apply(update: Uint8Array, tab?: string): void {
    this.#applyingFor = tab;
    try {
      this.store.apply(update);
    } catch {
      // Presence heals by itself: the entry is sent again when it changes or is renewed.
    }
    this.#applyingFor = undefined;
  }

  /** What this tab says, each key for itself. */
  own(): Uint8Array[] {
    return [...this.#ownKeys].map((key) => this.store.encode(key));
  }

  /** What this tab and the other tabs say. */
  ofThisBrowser(): Uint8Array[] {
    const keys = new Set(this.#ownKeys);
    for (const ofTab of this.#keysOfTabs.values()) {
      ofTab.forEach((key) => keys.add(key));
    }
    return [...keys].map((key) => this.store.encode(key));
  }

  /** A tab is gone: what it said of itself is taken back. */
  takeBack(tab: string): void {
    const keys = this.#keysOfTabs.get(tab);
    this.#keysOfTabs.delete(tab);
    keys?.forEach((key) => this.store.delete(key));
  }

  /** Takes back what was set here. */
  leave(): void {
    for (const key of [...this.#ownKeys]) {
      this.store.delete(key);
    }
  }

  destroy(): void {
    clearInterval(this.#renewal);
    this.#unsubscribe.forEach((stop) => stop());
    this.store.destroy();
  }

  #keysOf(tab: string | undefined): Set<string> | undefined {
    if (tab === undefined) {
      return undefined;
    }
    const keys = this.#keysOfTabs.get(tab) ?? new Set();
    this.#keysOfTabs.set(tab, keys);
    return keys;
  }

  #note(keys: Set<string> | undefined, event: { readonly added: string[]; readonly updated: string[]; readonly removed: string[] }): void {
    if (keys !== undefined) {
      [...event.added, ...event.updated].forEach((key) => keys.add(key));
      event.removed.forEach((key) => keys.delete(key));
    }
  }

  #renew(): void {
    for (const key of this.#ownKeys) {
      const value = this.store.get(key);
      if (value !== undefined) {
        this.store.set(key, value);
      }
    }
  }
}

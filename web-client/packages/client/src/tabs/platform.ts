/** What the platform has to offer to several tabs: locks that end with their tab, and a channel between them. */

/** The part of `navigator.locks` that is used. */
export interface Locks {
  /** Calls `held` once the lock is this tab's, which it stays until the promise that `held` returns is done. */
  request(name: string, options: { readonly signal: AbortSignal }, held: () => Promise<void>): Promise<void>;
}

/** The part of `BroadcastChannel` that is used. */
export interface Channel {
  /** Tells all other tabs. */
  postMessage(message: unknown): void;
  /** Hears what other tabs post. */
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  /** Hears and posts no more. */
  close(): void;
}

/** Where a client finds the other tabs of its user. */
export interface TabPlatform {
  readonly locks: Locks;
  /** The channel of this name, which all tabs that open it share. */
  openChannel(name: string): Channel;
}

/** `undefined` where tabs cannot find each other, as in Node and in insecure contexts. */
export function browserTabs(): TabPlatform | undefined {
  if (typeof navigator === "undefined" || navigator.locks === undefined || typeof BroadcastChannel === "undefined") {
    return undefined;
  }
  const { locks } = navigator;
  return {
    locks: { request: (name, options, held) => locks.request(name, options, held) },
    openChannel: (name) => new BroadcastChannel(name) as Channel,
  };
}

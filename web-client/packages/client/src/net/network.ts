/** The platform's own opinion on whether there is a network, where it has one. */

import type { Unsubscribe } from "../public/types.js";

/** `false` only where the platform says so: Node and some workers say nothing. */
export function networkIsUp(): boolean {
  return typeof navigator === "undefined" || navigator.onLine !== false;
}

/** Calls back at each change. Does nothing where the platform has no such events. */
export function onNetworkChange(listener: () => void): Unsubscribe {
  if (typeof globalThis.addEventListener !== "function") {
    return () => {};
  }
  globalThis.addEventListener("online", listener);
  globalThis.addEventListener("offline", listener);
  return () => {
    globalThis.removeEventListener("online", listener);
    globalThis.removeEventListener("offline", listener);
  };
}

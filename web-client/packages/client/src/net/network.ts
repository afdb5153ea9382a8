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

/** Whether this is a page that nobody looks at. */
export function isHidden(): boolean {
  return typeof document !== "undefined" && document.visibilityState === "hidden";
}

/** Calls back when somebody looks at the page again. Does nothing where there is no page. */
export function onVisible(listener: () => void): Unsubscribe {
  if (typeof document === "undefined") {
    return () => {};
  }
  const look = (): void => {
    if (!isHidden()) {
      listener();
    }
  };
  document.addEventListener("visibilitychange", look);
  return () => document.removeEventListener("visibilitychange", look);
}

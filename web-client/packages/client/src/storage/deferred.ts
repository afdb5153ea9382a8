/** A storage whose code is still on its way. */

import type { StoragePort } from "./port.js";

/** Every call waits for `load`, and then goes through. */
export function deferred(load: () => Promise<StoragePort>): StoragePort {
  const loading = load();
  const pass = (_: object, name: keyof StoragePort) => async (...values: never[]) => ((await loading)[name] as (...values: never[]) => unknown)(...values);
  return new Proxy({}, { get: pass as ProxyHandler<object>["get"] & {} }) as StoragePort;
}

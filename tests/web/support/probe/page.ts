/** A page with the client and nothing else: what a test asks of it runs in the browser. */

import loadLoro from "loro-crdt/web/loro_wasm.js";

import { CorellaClient, IndexedDbStorage } from "../../../../web-client/packages/client/src/index.js";
import { live } from "../../../../web-client/packages/client/src/live/index.js";
import { storageAcceptance } from "../../../../web-client/packages/client/src/storage/acceptance.js";

export const probe = { CorellaClient, IndexedDbStorage, live, storageAcceptance };

export type Probe = typeof probe;

declare global {
  interface Window {
    probe: Probe;
  }
}

await loadLoro();
window.probe = probe;
document.title = "ready";

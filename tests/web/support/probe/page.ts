/** A page with the client and nothing else: what a test asks of it runs in the browser. */

import { createCollection } from "@tanstack/db";
import loadLoro from "loro-crdt/web/loro_wasm.js";

import { CorellaClient, IndexedDbStorage } from "../../../../web-client/packages/client/dist/index.js";
import { live, scope } from "../../../../web-client/packages/client/dist/live/index.js";
import { storageAcceptance } from "../../../../web-client/packages/client/dist/storage/acceptance.js";
import { corellaCollectionOptions } from "../../../../web-client/packages/tanstack/src/index.js";

export const probe = { corellaCollectionOptions, CorellaClient, createCollection, IndexedDbStorage, live, scope, storageAcceptance };

export type Probe = typeof probe;

export type Client = CorellaClient;

/** Cards as the collection of a test has them. */
export type Cards = ReturnType<typeof createCollection<{ readonly id: string; title: string; readonly board: string }, string | number>>;

declare global {
  interface Window {
    probe: Probe;
  }
}

await loadLoro();
window.probe = probe;
document.title = "ready";

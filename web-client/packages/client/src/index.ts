/** `@corella/client`: live rows as Loro documents, presence, and the HTTP API. */

export { CorellaClient } from "./client.js";
export { CorellaError } from "./public/error.js";
export type * from "./public/edits.js";
export type * from "./public/schema.js";
export type * from "./public/types.js";
export { CREATION_ORIGIN } from "./row/changes.js";
export { MemoryStorage } from "./storage/memory.js";
export { IndexedDbStorage } from "./storage/indexed-db.js";
export { rowKey } from "./storage/port.js";
export type * from "./storage/port.js";
export type { Channel, Locks, TabPlatform } from "./tabs/platform.js";

/** `@corella/client`: live rows as Loro documents, presence, and the HTTP API. */

export { CorellaClient } from "./client.js";
export { CorellaError } from "./public/error.js";
export type * from "./public/types.js";

/** `@corella/tanstack`: Corella's entities as TanStack DB collections. */

export { type CorellaCollectionConfig, corellaCollectionOptions, type CorellaCollectionUtils } from "./collection-options.js";
export type { Subset } from "./subset.js";

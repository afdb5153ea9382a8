/** Loro's events, as changes of fields. */

import type { LoroEventBatch } from "loro-crdt";

import type { RowChange } from "../public/types.js";

/** The root map that holds a row's fields. */
export const FIELDS_ROOT = "row";

/** The origin of commits that make a field's container: undo managers leave them out by `excludeOriginPrefixes`. */
export const CREATION_ORIGIN = "corella-create";

/** Names the top-level fields that one batch of events touches. */
export function toRowChange(batch: LoroEventBatch): RowChange {
  const fields = new Set<string>();
  for (const event of batch.events) {
    const [root, field] = event.path;
    if (root !== FIELDS_ROOT) {
      continue;
    }
    if (typeof field === "string") {
      fields.add(field);
    } else if (event.diff.type === "map") {
      for (const key of Object.keys(event.diff.updated)) {
        fields.add(key);
      }
    }
  }
  return { by: batch.by === "local" ? "local" : "remote", fields: [...fields] };
}

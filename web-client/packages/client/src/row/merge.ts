/** A row that was loaded afresh takes in what an older copy of it still has. */

import { LoroDoc } from "loro-crdt";

import { covers } from "./versions.js";

/**
 * `fresh` with all that `old` has beyond it, as a document of its own; `undefined` if the two cannot be one.
 *
 * They cannot when `old` builds on operations that nobody has any more, or when the same operation ids mean other things
 * in it: equal versions have to mean equal states.
 */
export function merged(fresh: LoroDoc, old: LoroDoc): LoroDoc | undefined {
  old.commit();
  try {
    const result = new LoroDoc();
    result.import(fresh.export({ mode: "snapshot" }));
    if (covers(result.oplogVersion(), old.oplogVersion())) {
      return sameState(result, old) ? result : undefined;
    }
    const status = result.import(old.export({ mode: "update", from: fresh.oplogVersion() }));
    const isWhole = status.pending === null && covers(result.oplogVersion(), old.oplogVersion());
    return isWhole && sameState(result, old) ? result : undefined;
  } catch {
    return undefined;
  }
}

/** Whether `old`, with what `whole` has more, says the same. */
function sameState(whole: LoroDoc, old: LoroDoc): boolean {
  const check = new LoroDoc();
  check.import(old.export({ mode: "snapshot" }));
  check.import(whole.export({ mode: "update", from: check.oplogVersion() }));
  return JSON.stringify(check.toJSON()) === JSON.stringify(whole.toJSON());
}

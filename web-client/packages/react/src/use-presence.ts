/** Who else is at a row. */

import type { Value } from "loro-crdt";
import { useCallback, useEffect, useMemo, useSyncExternalStore } from "react";

import { type LiveRow, viewBehind } from "./use-row.js";

type States = Readonly<Record<string, Value | undefined>>;

const NOBODY: States = {};

/**
 * What the others say of themselves, by their presence ids. `mine` is what this component says of this person for as long
 * as it is mounted; leave it out to say nothing.
 */
export function usePresence(live: LiveRow | undefined, mine?: Value): States {
  const view = viewBehind(live);
  const states = useSyncExternalStore(
    useCallback((listener: () => void) => view?.subscribe(listener) ?? (() => {}), [view]),
    () => view?.presence() ?? NOBODY,
    () => NOBODY,
  );
  const doc = live?.doc;
  // A value that says the same is the same: a literal in the component would be said again at each render.
  const said = mine === undefined ? undefined : JSON.stringify(mine);
  useEffect(() => {
    if (view === undefined || doc === undefined || said === undefined) {
      return;
    }
    const { presence, presenceId } = view.row;
    presence.set(presenceId, JSON.parse(said) as Value);
    return () => presence.delete(presenceId);
  }, [view, doc, said]);
  const own = view?.row.presenceId;
  return useMemo(() => Object.fromEntries(Object.entries(states).filter(([id]) => id !== own)), [states, own]);
}

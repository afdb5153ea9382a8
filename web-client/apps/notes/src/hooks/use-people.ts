/** Who else has the note open. */

import { type Person, personOf } from "@corella/app-kit";
import type { RowHandle } from "@corella/client";
import { presenceOf } from "@corella/editors/prosemirror";
import type { Value } from "loro-crdt";
import { useEffect, useState } from "react";


/** One entry per person, however many windows that person has. */
export function usePeople(row: RowHandle): readonly Person[] {
  const [people, setPeople] = useState<readonly Person[]>([]);
  useEffect(() => {
    const show = (states: Readonly<Record<string, Value>>) => setPeople(others(states, row.presenceId));
    show(row.presence.getAllStates());
    return row.onPresence(show);
  }, [row]);
  return people;
}

function others(states: Readonly<Record<string, Value | undefined>>, self: string): readonly Person[] {
  const byName = new Map<string, Person>();
  for (const [key, state] of Object.entries(states)) {
    const person = presenceOf(state)?.person;
    if (key !== self && person !== undefined) {
      byName.set(person.name, personOf(person.name));
    }
  }
  return [...byName.values()].sort((left, right) => left.name.localeCompare(right.name));
}

/** A person's place in a note, as it travels: the shape that loro-prosemirror gives it. */

import { type Person, personOf, tidyName } from "@corella/app-kit";
import { Cursor, type Value } from "loro-crdt";


export interface Presence {
  readonly person: Person;
  /** Absent while the person's editor has no focus. */
  readonly selection: { readonly anchor: Cursor; readonly focus: Cursor } | undefined;
}

export function presenceValue(presence: Presence): Record<string, Value> {
  return {
    user: { name: presence.person.name, color: presence.person.color },
    anchor: presence.selection?.anchor.encode() ?? null,
    focus: presence.selection?.focus.encode() ?? null,
  };
}

/** Reads what somebody else wrote; `undefined` when it is not of this shape. */
export function presenceOf(value: Value | undefined): Presence | undefined {
  const user = field(value, "user");
  const name = field(user, "name");
  if (typeof name !== "string" || tidyName(name) === "") {
    return undefined;
  }
  const anchor = cursorOf(field(value, "anchor"));
  const focus = cursorOf(field(value, "focus"));
  return {
    person: personOf(tidyName(name)),
    selection: anchor && focus && { anchor, focus },
  };
}

function field(value: Value | undefined, key: string): Value | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
    ? value[key]
    : undefined;
}

function cursorOf(value: Value | undefined): Cursor | undefined {
  if (!(value instanceof Uint8Array)) {
    return undefined;
  }
  try {
    return Cursor.decode(value);
  } catch {
    return undefined;
  }
}

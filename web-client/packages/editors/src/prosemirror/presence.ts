/** A person's place in a text, as it travels: the shape that loro-prosemirror gives it. */

import { Cursor, type Value } from "loro-crdt";

/** Who somebody is to the others in the same text. */
export interface EditingPerson {
  readonly name: string;
  /** As CSS has it in hexadecimal digits: `#0b69a3`. */
  readonly color: string;
}

/** What a row's presence says of somebody who has it in an editor. */
export interface EditingPresence {
  readonly person: EditingPerson;
  /** Absent while the person's editor has no focus. */
  readonly selection: { readonly anchor: Cursor; readonly focus: Cursor } | undefined;
}

const LONGEST_NAME = 32;
const NO_COLOR = "#6b7280";

export function presenceValue(presence: EditingPresence): Record<string, Value> {
  return {
    user: { name: presence.person.name, color: presence.person.color },
    anchor: presence.selection?.anchor.encode() ?? null,
    focus: presence.selection?.focus.encode() ?? null,
  };
}

/** Reads what somebody else wrote into the row's presence; `undefined` when it is not of this shape. */
export function presenceOf(value: Value | undefined): EditingPresence | undefined {
  const user = field(value, "user");
  const name = field(user, "name");
  const tidy = typeof name === "string" ? [...name.trim().replace(/\s+/g, " ")].slice(0, LONGEST_NAME).join("") : "";
  if (tidy === "") {
    return undefined;
  }
  const color = field(user, "color");
  const anchor = cursorOf(field(value, "anchor"));
  const focus = cursorOf(field(value, "focus"));
  return {
    // It ends in a style: nothing but a color may stand there.
    person: { name: tidy, color: typeof color === "string" && /^#[0-9a-f]{3,8}$/i.test(color) ? color : NO_COLOR },
    selection: anchor && focus && { anchor, focus },
  };
}

function field(value: Value | undefined, key: string): Value | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array) ? value[key] : undefined;
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

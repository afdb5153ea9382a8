/** A person's first letter on the person's color. */

import type { CSSProperties } from "react";

import type { Person } from "../model/person";

export function Avatar({ person }: { readonly person: Person }) {
  const style: CSSProperties = { backgroundColor: person.color };
  return (
    <span className="avatar" style={style} title={person.name} aria-hidden="true">
      {[...person.name][0]?.toUpperCase()}
    </span>
  );
}

/** How many faces are drawn before the rest becomes a number. */
const faces = 3;

export function People({ people }: { readonly people: readonly Person[] }) {
  const hidden = people.length - faces;
  return (
    <span
      className="people"
      role="img"
      aria-label={people.length === 0 ? "Nobody else is here" : `Also here: ${people.map(({ name }) => name).join(", ")}`}
      data-testid="people"
    >
      {people.slice(0, faces).map((person) => (
        <Avatar key={person.name} person={person} />
      ))}
      {hidden > 0 && <span className="avatar avatar-more">+{hidden}</span>}
    </span>
  );
}

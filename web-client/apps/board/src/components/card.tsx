/** One card on the board. */

import { Avatar, type Person } from "@corella/app-kit";
import type { KeyboardEvent } from "react";

import type { Carrying } from "../hooks/use-carrying";
import type { Card } from "../model/board";

interface CardViewProps {
  readonly card: Card;
  /** Who else has it open. */
  readonly people: readonly Person[];
  readonly carrying: Carrying;
  readonly onOpen: () => void;
}

export function CardView({ card, people, carrying, onOpen }: CardViewProps) {
  const isCarried = carrying.card === card.id;
  const press = (event: KeyboardEvent) => {
    if (carrying.press(card, event.key)) {
      event.preventDefault();
    }
  };
  return (
    <button
      type="button"
      className="card"
      draggable
      data-card={card.id}
      data-testid="card"
      data-carried={isCarried ? (carrying.isByKeys ? "keys" : "hand") : undefined}
      aria-describedby="carry-help"
      onClick={onOpen}
      onKeyDown={press}
      onKeyUp={(event) => event.key === " " && event.preventDefault()}
      onDragStart={(event) => {
        event.dataTransfer.setData("text/plain", card.title);
        event.dataTransfer.effectAllowed = "move";
        carrying.pick(card.id);
      }}
      onDragEnd={carrying.cancel}
    >
      <span className="card-title">{card.title === "" ? "Untitled" : card.title}</span>
      {people.length > 0 && (
        <span className="card-people" role="img" aria-label={`Open at ${people.map(({ name }) => name).join(", ")}`}>
          {people.map((person) => (
            <Avatar key={person.name} person={person} />
          ))}
        </span>
      )}
    </button>
  );
}

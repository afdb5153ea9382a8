/** One column: its name, how many cards it has, the cards, and a place for a new one. */

import { Icon, type Person } from "@corella/app-kit";
import { type DragEvent, type FormEvent, useId } from "react";

import type { Carrying } from "../hooks/use-carrying";
import type { Card, Column } from "../model/board";
import { CardView } from "./card";

interface ColumnViewProps {
  readonly column: Column;
  readonly cards: readonly Card[];
  readonly count: number;
  readonly others: readonly { readonly person: Person; readonly card: unknown }[];
  readonly carrying: Carrying;
  readonly isLoading: boolean;
  readonly onOpen: (card: string) => void;
  readonly onAdd: (title: string) => void;
  readonly onRename: (title: string) => void;
  /** How many columns are to its left and to its right. */
  readonly beside: { readonly left: number; readonly right: number };
  readonly onMove: (step: -1 | 1) => void;
}

export function ColumnView({ column, cards, count, others, carrying, isLoading, onOpen, onAdd, onRename, beside, onMove }: ColumnViewProps) {
  const heading = useId();
  const isTarget = carrying.spot?.column === column.id;
  const over = (before: string | undefined) => (event: DragEvent) => {
    if (carrying.card !== undefined) {
      event.preventDefault();
      event.stopPropagation();
      carrying.over({ column: column.id, before });
    }
  };
  const add = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const input = event.currentTarget.elements.namedItem("title");
    if (input instanceof HTMLInputElement && input.value.trim() !== "") {
      onAdd(input.value.trim());
      input.value = "";
    }
  };
  return (
    <section
      className="column"
      aria-labelledby={heading}
      data-testid="column"
      data-column={column.id}
      data-target={isTarget || undefined}
      onDragOver={over(undefined)}
      onDrop={(event) => {
        event.preventDefault();
        carrying.drop();
      }}
    >
      <header className="column-head">
        <h2 className="visually-hidden" id={heading}>
          {column.title}
        </h2>
        <input className="column-title" aria-label={`Name of the column ${column.title}`} value={column.title} onChange={(event) => onRename(event.target.value)} />
        <span className="column-count" aria-label={`${count} ${count === 1 ? "card" : "cards"}`} role="img" data-testid="count">
          {count}
        </span>
        <button type="button" className="button-icon" aria-label={`Move ${column.title} to the left`} aria-disabled={beside.left === 0} onClick={() => onMove(-1)}>
          <Icon name="back" />
        </button>
        <button type="button" className="button-icon icon-turned" aria-label={`Move ${column.title} to the right`} aria-disabled={beside.right === 0} onClick={() => onMove(1)}>
          <Icon name="back" />
        </button>
      </header>
      <ul className="cards" aria-busy={isLoading}>
        {cards.map((card, index) => (
          <li
            key={card.id}
            data-before={(isTarget && carrying.spot?.before === card.id) || undefined}
            onDragOver={(event) => {
              const { top, height } = event.currentTarget.getBoundingClientRect();
              over(event.clientY < top + height / 2 ? card.id : cards[index + 1]?.id)(event);
            }}
          >
            <CardView card={card} people={others.flatMap((each) => (each.card === card.id ? [each.person] : []))} carrying={carrying} onOpen={() => onOpen(card.id)} />
          </li>
        ))}
      </ul>
      <form className="card-add" onSubmit={add}>
        <input name="title" placeholder="Add a card" aria-label={`Add a card to ${column.title}`} autoComplete="off" data-testid="add-card" />
      </form>
    </section>
  );
}

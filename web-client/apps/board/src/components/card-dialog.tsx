/** The open card: its title, its column, and notes that several people write at once. */

import type { RowHandle } from "@corella/client";
import { bindTextInput } from "@corella/editors/text-input";
import { useEffect, useId, useRef, useState } from "react";

import type { Card, Column } from "../model/board";

interface CardDialogProps {
  readonly row: RowHandle;
  readonly card: Card;
  readonly columns: readonly Column[];
  readonly onMove: (column: string) => void;
  readonly onDelete: () => void;
  readonly onClose: () => void;
}

export function CardDialog({ row, card, columns, onMove, onDelete, onClose }: CardDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const notes = useRef<HTMLTextAreaElement>(null);
  const [isReady, setReady] = useState(false);
  const [title, column, text] = [useId(), useId(), useId()];

  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);

  useEffect(() => {
    let isOver = false;
    row.ready.then(
      () => !isOver && setReady(true),
      () => {},
    );
    return () => {
      isOver = true;
    };
  }, [row]);

  useEffect(() => (isReady && notes.current !== null ? bindTextInput(notes.current, row, "notes") : undefined), [row, isReady]);

  return (
    <dialog className="card-dialog" ref={dialog} aria-label={card.title === "" ? "Untitled" : card.title} onClose={onClose} onClick={(event) => event.target === dialog.current && onClose()}>
      <div className="card-form">
        <label htmlFor={title}>Title</label>
        <input id={title} value={card.title} data-testid="card-title" onChange={(event) => row.set("title", event.target.value)} />
        <label htmlFor={column}>Column</label>
        <select id={column} value={card.column} data-testid="card-column" onChange={(event) => onMove(event.target.value)}>
          {columns.map(({ id, title: name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
        <label htmlFor={text}>Notes</label>
        <textarea id={text} ref={notes} rows={7} disabled={!isReady} data-testid="card-notes" placeholder={isReady ? "Written together" : "Not on this device yet"} />
        <div className="card-actions">
          <button type="button" className="button-plain card-delete" data-testid="card-delete" onClick={onDelete}>
            Delete
          </button>
          <button type="button" className="button-primary" data-testid="card-close" onClick={onClose}>
            Close
          </button>
        </div>
      </div>
    </dialog>
  );
}

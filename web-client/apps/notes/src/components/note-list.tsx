/** The notes, pinned ones first. */

import { Icon } from "@corella/app-kit";
import type { NoteListActions, NoteList as NoteListState } from "../hooks/use-notes";
import { noteAddress } from "../hooks/use-route";
import { type Note, shownTitle } from "../model/note";

interface NoteListProps extends NoteListState, NoteListActions {
  readonly openId: string | undefined;
  readonly offline: boolean;
  readonly onCreate: () => void;
}

export function NoteList({ notes, failure, hasMore, openId, offline, onCreate, showMore }: NoteListProps) {
  return (
    <nav className="list-pane" aria-label="Notes">
      <div className="list-head">
        <p className={failure === undefined ? "list-summary" : "list-summary list-summary-failure"} aria-live="polite" title={failure}>
          {summary(notes, failure, hasMore, offline)}
        </p>
        <button
          type="button"
          className="button-primary"
          data-testid="new-note"
          onClick={onCreate}
        >
          <Icon name="plus" />
          New note
        </button>
      </div>
      {notes === undefined ? <ListPlaceholder failure={failure} offline={offline} /> : null}
      {notes?.length === 0 ? <p className="list-empty">No notes yet. The first one is a click away.</p> : null}
      <ul className="list" data-testid="note-list">
        {notes?.map((note) => (
          <NoteItem key={note.id} note={note} isOpen={note.id === openId} />
        ))}
      </ul>
      {hasMore && (
        <button type="button" className="button-plain list-more" onClick={showMore}>
          Show more
        </button>
      )}
    </nav>
  );
}

function NoteItem({ note, isOpen }: { readonly note: Note; readonly isOpen: boolean }) {
  return (
    <li>
      <a
        className="item"
        href={noteAddress(note.id)}
        aria-current={isOpen ? "page" : undefined}
        data-testid="note-item"
        data-note={note.id}
      >
        <span className="item-dot" data-color={note.color} />
        <span className={note.title.trim() === "" ? "item-title item-untitled" : "item-title"}>{shownTitle(note.title)}</span>
        {note.pinned && (
          <span className="item-pin" role="img" aria-label="Pinned">
            <Icon name="pin" />
          </span>
        )}
        <span className="item-text">{note.text.trim() === "" ? "No text yet" : note.text.slice(0, 120)}</span>
      </a>
    </li>
  );
}

/** Grey lines where the notes will be, or why they will not. */
function ListPlaceholder({ failure, offline }: { readonly failure: string | undefined; readonly offline: boolean }) {
  if (failure !== undefined || offline) {
    return <p className="list-empty">{offline ? "No notes on this device yet. The list comes back with the connection." : failure}</p>;
  }
  return (
    <div className="list-skeleton" aria-hidden="true">
      <span />
      <span />
      <span />
    </div>
  );
}

function summary(
  notes: readonly Note[] | undefined,
  failure: string | undefined,
  hasMore: boolean,
  offline: boolean,
): string {
  if (offline) {
    return "Offline";
  }
  if (failure !== undefined) {
    return "No answer";
  }
  if (notes === undefined) {
    return "Loading";
  }
  return `${notes.length}${hasMore ? "+" : ""} ${notes.length === 1 ? "note" : "notes"}`;
}

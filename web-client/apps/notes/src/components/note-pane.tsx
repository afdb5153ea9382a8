/** The open note, or why there is none to show. */

import type { Person } from "@corella/app-kit";
import type { RowStatus } from "@corella/client";
import type { ReactNode } from "react";

import type { NoteActions } from "../hooks/use-note-actions";
import type { LiveNote, OpenRow } from "../hooks/use-row";
import { NoteSheet } from "./note-sheet";

interface NotePaneProps {
  readonly isChosen: boolean;
  readonly opened: OpenRow | undefined;
  readonly live: LiveNote | undefined;
  readonly status: RowStatus | undefined;
  readonly person: Person;
  readonly offline: boolean;
  readonly actions: NoteActions;
}

export function NotePane(props: NotePaneProps) {
  return (
    <section className="note-pane" aria-label="Note">
      {content(props)}
    </section>
  );
}

function content({ isChosen, opened, live, status, person, offline, actions }: NotePaneProps): ReactNode {
  if (!isChosen) {
    return <Message title="No note is open" text="Choose one from the list, or make a new one." />;
  }
  if (opened?.kind === "failed" || status?.kind === "refused") {
    const reason = opened?.kind === "failed" ? opened.message : status?.kind === "refused" ? status.message : "";
    return <Message title="This note cannot be opened" text={reason} />;
  }
  if (opened?.kind !== "open" || live === undefined) {
    return <Opening offline={offline} />;
  }
  if (!live.exists) {
    return <Message title="There is no such note" text="Its address may be mistyped, or it is gone for good." />;
  }
  const { row, generation } = opened;
  if (live.deleted) {
    return (
      <Message title="This note was deleted" text="Nothing that was written is lost.">
        <button
          type="button"
          className="button-primary"
          disabled={offline}
          data-testid="restore-note"
          onClick={() => void actions.restore(row.id)}
        >
          Restore it
        </button>
      </Message>
    );
  }
  return (
    <NoteSheet
      row={row}
      generation={generation}
      live={live}
      person={person}
      offline={offline}
      onDelete={() => void actions.remove(row.id, live.title)}
    />
  );
}

interface MessageProps {
  readonly title: string;
  readonly text: string;
  readonly children?: ReactNode;
}

function Message({ title, text, children }: MessageProps) {
  return (
    <div className="note-message">
      <h2>{title}</h2>
      <p>{text}</p>
      {children}
    </div>
  );
}

function Opening({ offline }: { readonly offline: boolean }) {
  return offline ? (
    <Message title="This note is not here yet" text="It opens when you are online again." />
  ) : (
    <div className="sheet-skeleton" role="status" aria-label="Opening the note">
      <span />
      <span />
      <span />
    </div>
  );
}

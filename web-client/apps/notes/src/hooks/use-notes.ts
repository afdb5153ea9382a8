/** The list of notes: the server's answer, kept true by it, and what this device has. */

import type { CorellaClient, LocalRow } from "@corella/client";
import { useLive } from "@corella/react";
import { useCallback, useMemo, useRef, useState } from "react";

import { compareNotes, localNoteOf, type Note, noteEntity, noteOf, noteOrder } from "../model/note";
import { useLocalNotes } from "./use-local-notes";

const pageLength = 100;

export interface NoteList {
  /** `undefined` until there is anything to show. */
  readonly notes: readonly Note[] | undefined;
  /** Why the server does not answer the question at all. */
  readonly failure: string | undefined;
  readonly hasMore: boolean;
}

export interface NoteListActions {
  readonly showMore: () => void;
}

export function useNotes(client: CorellaClient): NoteList & NoteListActions {
  const [limit, setLimit] = useState(pageLength);
  const query = useMemo(() => ({ from: noteEntity, orderBy: noteOrder, limit }), [limit]);
  const { rows, status, cursor } = useLive(query);
  const answered = useMemo(() => (status.kind === "live" || status.kind === "stale" ? rows.map(noteOf) : undefined), [rows, status.kind]);
  // While a longer list is on its way, the shorter one stays.
  const last = useRef(answered);
  last.current = answered ?? last.current;
  const listed = last.current;

  const local = useLocalNotes(client, query);
  return {
    notes: useMemo(() => together(listed, local, status.kind !== "live"), [listed, local, status.kind]),
    failure: status.kind === "refused" ? status.message : undefined,
    hasMore: cursor !== undefined,
    showMore: useCallback(() => setLimit((current) => current + pageLength), []),
  };
}

/**
 * What the device has unsent of a note is newer than the list, and without the server all that it has is: the list that was kept
 * may be a second older than the documents. A note that the list lacks is shown in the same cases.
 */
function together(listed: readonly Note[] | undefined, local: readonly LocalRow[], isAway: boolean): readonly Note[] | undefined {
  if (listed === undefined && local.length === 0) {
    return undefined;
  }
  const notes = new Map(listed?.map((note) => [note.id, note]));
  for (const row of local.filter(({ unsent }) => unsent || isAway)) {
    const known = notes.get(row.id);
    if (row.deleted) {
      notes.delete(row.id);
    } else if (Object.keys(row.fields).length > 0) {
      const note = localNoteOf(row);
      notes.set(row.id, { ...note, created: note.created || (known?.created ?? ""), text: note.text || (known?.text ?? "") });
    }
  }
  return [...notes.values()].sort(compareNotes);
}

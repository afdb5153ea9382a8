/** The list of notes: what the server says, and what this device has. The server is asked again after own actions, when the page comes back, and every two seconds while it is seen. */

import type { CorellaClient, LocalRow } from "@corella/client";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

import { messageOf } from "../model/message";
import { compareNotes, localNoteOf, type Note, noteEntity, noteOf, noteOrder } from "../model/note";
import { useLocalNotes } from "./use-local-notes";

const refreshMilliseconds = 2_000;
const pageLength = 100;

export interface NoteList {
  /** `undefined` until there is anything to show. */
  readonly notes: readonly Note[] | undefined;
  /** Why the newest question went unanswered; the notes are then those of the last answer. */
  readonly failure: string | undefined;
  readonly hasMore: boolean;
}

export interface NoteListActions {
  readonly refresh: () => void;
  readonly showMore: () => void;
}

const nothingYet: NoteList = { notes: undefined, failure: undefined, hasMore: false };

export function useNotes(client: CorellaClient, offline: boolean): NoteList & NoteListActions {
  const [list, setList] = useState(nothingYet);
  const [limit, setLimit] = useState(pageLength);
  // Answers may overtake each other; only that of the newest question is shown.
  const newestQuestion = useRef(0);

  const refresh = useCallback(async () => {
    newestQuestion.current += 1;
    const question = newestQuestion.current;
    let answer: (last: NoteList) => NoteList;
    try {
      const { rows, cursor } = await client.list(noteEntity, { orderBy: noteOrder, limit });
      answer = () => ({ notes: rows.map(noteOf), failure: undefined, hasMore: cursor !== undefined });
    } catch (error) {
      answer = (last) => ({ ...last, failure: messageOf(error) });
    }
    if (question === newestQuestion.current) {
      setList(answer);
    }
  }, [client, limit]);

  useEffect(() => {
    if (offline) {
      return;
    }
    const refreshWhenSeen = () => {
      if (document.visibilityState === "visible") {
        void refresh();
      }
    };
    refreshWhenSeen();
    const timer = setInterval(refreshWhenSeen, refreshMilliseconds);
    window.addEventListener("focus", refreshWhenSeen);
    document.addEventListener("visibilitychange", refreshWhenSeen);
    return () => {
      // An answer that is still under way belongs to the past.
      newestQuestion.current += 1;
      clearInterval(timer);
      window.removeEventListener("focus", refreshWhenSeen);
      document.removeEventListener("visibilitychange", refreshWhenSeen);
    };
  }, [refresh, offline]);

  const listed = useMemo(() => list.notes?.map(({ id }) => id) ?? [], [list.notes]);
  const local = useLocalNotes(client, listed);
  return {
    ...list,
    notes: useMemo(() => together(list.notes, local), [list.notes, local]),
    refresh: useCallback(() => void refresh(), [refresh]),
    showMore: useCallback(() => setLimit((current) => current + pageLength), []),
  };
}

/**
 * What the device has of a note is newer than the list: it was written here, or came over the socket. A note that the list
 * lacks is shown if the server has not got it yet, or has not been asked.
 */
function together(listed: readonly Note[] | undefined, local: readonly LocalRow[]): readonly Note[] | undefined {
  if (listed === undefined && local.length === 0) {
    return undefined;
  }
  const notes = new Map(listed?.map((note) => [note.id, note]));
  for (const row of local) {
    const known = notes.get(row.id);
    if (row.deleted || Object.keys(row.fields).length === 0) {
      notes.delete(row.id);
    } else if (known !== undefined || listed === undefined || row.unsent) {
      const note = localNoteOf(row);
      notes.set(row.id, { ...note, created: note.created || (known?.created ?? ""), text: note.text || (known?.text ?? "") });
    }
  }
  return [...notes.values()].sort(compareNotes);
}

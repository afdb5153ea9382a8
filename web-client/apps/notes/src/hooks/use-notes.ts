/** The list of notes, asked for again after own actions, when the page comes back, and every two seconds while it is seen. */

import type { CorellaClient } from "@corella/client";
import { useCallback, useEffect, useRef, useState } from "react";

import { messageOf } from "../model/message";
import { type Note, noteEntity, noteOf, noteOrder } from "../model/note";

const refreshMilliseconds = 2_000;
const pageLength = 100;

export interface NoteList {
  /** `undefined` until the first answer. */
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

  return {
    ...list,
    refresh: useCallback(() => void refresh(), [refresh]),
    showMore: useCallback(() => setLimit((current) => current + pageLength), []),
  };
}

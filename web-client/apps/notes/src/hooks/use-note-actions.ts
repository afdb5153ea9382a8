/** What a person does to a note as a whole: make it, delete it, bring it back. */

import type { CorellaClient } from "@corella/client";
import { useMemo } from "react";

import { messageOf } from "../model/message";
import { noteEntity, shownTitle } from "../model/note";
import type { NoticeContent } from "./use-notice";
import { openList, openNote } from "./use-route";

export interface NoteActions {
  readonly create: () => Promise<void>;
  readonly remove: (id: string, title: string) => Promise<void>;
  readonly restore: (id: string) => Promise<void>;
}

export function useNoteActions(
  client: CorellaClient,
  refresh: () => void,
  announce: (notice: NoticeContent) => void,
): NoteActions {
  return useMemo(() => {
    const attempt = async (failed: string, action: () => Promise<void>) => {
      try {
        await action();
        refresh();
      } catch (error) {
        announce({ text: `${failed}: ${messageOf(error)}` });
      }
    };
    const restore = (id: string) =>
      attempt("The note could not be restored", async () => {
        await client.restore(noteEntity, id);
        openNote(id);
      });
    return {
      create: () =>
        attempt("A note could not be made", async () => {
          const { id } = await client.create(noteEntity, { title: "" });
          openNote(id);
        }),
      remove: (id, title) =>
        attempt("The note could not be deleted", async () => {
          await client.delete(noteEntity, id);
          openList();
          announce({
            text: `“${shownTitle(title)}” was deleted.`,
            action: { label: "Undo", run: () => void restore(id) },
          });
        }),
      restore,
    };
  }, [client, refresh, announce]);
}

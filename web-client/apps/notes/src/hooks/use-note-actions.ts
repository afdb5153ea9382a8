/** What a person does to a note as a whole: make it, delete it, bring it back. */

import { messageOf, type NoticeContent } from "@corella/app-kit";
import type { CorellaClient } from "@corella/client";
import { useMemo } from "react";

import { noteEntity, shownTitle } from "../model/note";
import { openList, openNote } from "./use-route";

export interface NoteActions {
  readonly create: () => Promise<void>;
  readonly remove: (id: string, title: string) => Promise<void>;
  readonly restore: (id: string) => Promise<void>;
}

export function useNoteActions(
  client: CorellaClient,
  announce: (notice: NoticeContent) => void,
  author: string,
): NoteActions {
  return useMemo(() => {
    const attempt = async (failed: string, action: () => Promise<void>) => {
      try {
        await action();
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
          openNote(client.status === "online" ? (await client.create(noteEntity, { title: "" })).id : createHere(client, author));
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
  }, [client, announce, author]);
}

/** A note that begins on this device; the server gets it with the next connection. Returns its id. */
function createHere(client: CorellaClient, author: string): string {
  const id = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const row = client.row(noteEntity, id);
  const fields = { title: "", pinned: false, color: "none", position: 0, created: new Date().toISOString(), author };
  for (const [name, value] of Object.entries(fields)) {
    row.fields.set(name, value);
  }
  row.doc.commit();
  row.close();
  return id;
}

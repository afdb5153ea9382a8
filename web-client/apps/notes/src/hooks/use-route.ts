/** Which note is open, as the address says it: `#/note/<id>`. */

import { useSyncExternalStore } from "react";

export function useOpenNoteId(): string | undefined {
  return noteIdIn(useSyncExternalStore(onHashChange, () => location.hash));
}

export function noteAddress(id: string): string {
  return `#/note/${encodeURIComponent(id)}`;
}

export function openNote(id: string): void {
  location.hash = noteAddress(id);
}

export function openList(): void {
  location.hash = "#/";
}

function noteIdIn(hash: string): string | undefined {
  return /^#\/note\/([A-Za-z0-9_-]{1,64})$/.exec(hash)?.[1];
}

function onHashChange(listener: () => void): () => void {
  window.addEventListener("hashchange", listener);
  return () => window.removeEventListener("hashchange", listener);
}

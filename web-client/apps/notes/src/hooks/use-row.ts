/** The open note's row: opened, watched, given back. */

import { messageOf } from "@corella/app-kit";
import type { CorellaClient, RowHandle, RowStatus } from "@corella/client";
import { useEffect, useReducer, useState } from "react";

import { isDeleted, noteEntity, type NoteFields, noteFieldsOf } from "../model/note";

export type OpenRow =
  | { readonly kind: "opening"; readonly row: RowHandle }
  /** `generation` grows when the row gets another document: whatever is bound to the old one binds again. */
  | { readonly kind: "open"; readonly row: RowHandle; readonly generation: number }
  | { readonly kind: "failed"; readonly row: RowHandle; readonly message: string };

/** `undefined` while no note is chosen. */
export function useRow(
  client: CorellaClient,
  id: string | undefined,
  onRejected: (message: string) => void,
): OpenRow | undefined {
  const [opened, setOpened] = useState<OpenRow>();
  useEffect(() => {
    if (id === undefined) {
      return;
    }
    const row = client.row(noteEntity, id);
    let closed = false;
    const show = (next: OpenRow) => {
      if (!closed) {
        setOpened(next);
      }
    };
    show({ kind: "opening", row });
    row.ready.then(
      () => show({ kind: "open", row, generation: 0 }),
      (error: unknown) => show({ kind: "failed", row, message: messageOf(error) }),
    );
    const stops = [
      row.onRejected((rejection) => onRejected(rejection.message)),
      row.onReplaced(() =>
        setOpened((last) =>
          last?.kind === "open" && last.row === row ? { ...last, generation: last.generation + 1 } : last,
        ),
      ),
    ];
    return () => {
      closed = true;
      stops.forEach((stop) => stop());
      setOpened(undefined);
      row.close();
    };
  }, [client, id, onRejected]);
  // Between a new address and the effect that follows it, the old row is still here.
  return opened?.row.id === id ? opened : undefined;
}

/** What the open document says about the note, followed as it changes on either side. */
export interface LiveNote extends NoteFields {
  /** Whether the row has any field at all; an address may name a note that never was. */
  readonly exists: boolean;
  readonly deleted: boolean;
}

export function useLiveNote(opened: OpenRow | undefined): LiveNote | undefined {
  const [, follow] = useReducer((changes: number) => changes + 1, 0);
  const open = opened?.kind === "open" ? opened : undefined;
  useEffect(() => {
    if (open === undefined) {
      return;
    }
    const stopFields = open.row.onChange(({ fields }) => {
      if (fields.some((field) => field !== "body")) {
        follow();
      }
    });
    const stopLiveness = open.row.doc.getMap("meta").subscribe(follow);
    return () => {
      stopFields();
      stopLiveness();
    };
  }, [open]);
  return open && { ...noteFieldsOf(open.row), exists: open.row.fields.size > 0, deleted: isDeleted(open.row) };
}

export function useRowStatus(opened: OpenRow | undefined): RowStatus | undefined {
  const row = opened?.row;
  const [status, setStatus] = useState<{ readonly row: RowHandle; readonly status: RowStatus }>();
  useEffect(() => {
    if (row === undefined) {
      return;
    }
    const show = () => setStatus({ row, status: row.status });
    show();
    return row.onStatus(show);
  }, [row]);
  return status !== undefined && status.row === row ? status.status : row?.status;
}

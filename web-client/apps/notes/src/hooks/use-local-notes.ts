/** The notes that this device keeps, with all that was written here. */

import type { CorellaClient, LocalRow } from "@corella/client";
import { type Query, scope } from "@corella/client/live";
import { useEffect, useState } from "react";

import { noteEntity } from "../model/note";

/** A list need not follow each letter. */
const pauseMilliseconds = 300;

/** The documents of the listed notes are kept here: they open, and take edits, when the server is not there. */
export function useLocalNotes(client: CorellaClient, listed: Query): readonly LocalRow[] {
  const [rows, setRows] = useState<readonly LocalRow[]>([]);
  useEffect(() => {
    const kept = scope(client, listed);
    return () => kept.close();
  }, [client, listed]);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let ended = false;
    const read = async () => {
      const found = await client.localRows(noteEntity).catch(() => []);
      timer = undefined;
      if (!ended) {
        setRows(found);
      }
    };
    void read();
    const stop = client.onSync(() => {
      timer ??= setTimeout(() => void read(), pauseMilliseconds);
    });
    return () => {
      ended = true;
      clearTimeout(timer);
      stop();
    };
  }, [client]);
  return rows;
}

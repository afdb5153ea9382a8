/** The notes that this device keeps, with all that was written here. */

import type { CorellaClient, LocalRow } from "@corella/client";
import { useEffect, useState } from "react";

import { noteEntity } from "../model/note";

/** A list need not follow each letter. */
const pauseMilliseconds = 300;

/** How many notes are kept open, and so kept on the device and up to date. */
const mostKept = 100;

/** Opens the notes of these ids, so that they are here when the server is not. */
function useKept(client: CorellaClient, ids: readonly string[], changed: () => void): void {
  const key = ids.slice(0, mostKept).join(",");
  useEffect(() => {
    const rows = key === "" ? [] : key.split(",").map((id) => client.row(noteEntity, id));
    const stops = rows.flatMap((row) => [row.onChange(changed), row.onReplaced(changed), row.onStatus(changed)]);
    return () => {
      stops.forEach((stop) => stop());
      rows.forEach((row) => row.close());
    };
  }, [client, key, changed]);
}

export function useLocalNotes(client: CorellaClient, listed: readonly string[]): readonly LocalRow[] {
  const [rows, setRows] = useState<readonly LocalRow[]>([]);
  const [look, setLook] = useState<() => void>(() => () => {});
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
    const lookSoon = () => {
      timer ??= setTimeout(() => void read(), pauseMilliseconds);
    };
    setLook(() => lookSoon);
    void read();
    const stop = client.onSync(lookSoon);
    return () => {
      ended = true;
      clearTimeout(timer);
      stop();
    };
  }, [client]);
  useKept(client, listed, look);
  return rows;
}

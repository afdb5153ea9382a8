/** The client: one for as long as somebody is signed in. What it keeps on this device is that person's alone. */

import { CorellaClient } from "@corella/client";
import { useEffect, useState } from "react";

export function useClient(user: string, token: (refused?: string) => Promise<string>): CorellaClient | undefined {
  const [client, setClient] = useState<CorellaClient>();
  useEffect(() => {
    const opened = new CorellaClient({ url: location.origin, user, token });
    setClient(opened);
    return () => {
      setClient(undefined);
      void opened.close();
    };
  }, [user, token]);
  return client;
}

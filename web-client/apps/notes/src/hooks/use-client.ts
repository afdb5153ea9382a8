/** The connection to the server: one for as long as somebody is signed in. */

import { type ClientStatus, CorellaClient } from "@corella/client";
import { useEffect, useState } from "react";

export function useClient(token: () => Promise<string>): CorellaClient | undefined {
  const [client, setClient] = useState<CorellaClient>();
  useEffect(() => {
    const opened = new CorellaClient({ url: location.origin, token });
    setClient(opened);
    return () => {
      setClient(undefined);
      opened.close();
    };
  }, [token]);
  return client;
}

export function useClientStatus(client: CorellaClient): ClientStatus {
  const [status, setStatus] = useState(client.status);
  useEffect(() => {
    setStatus(client.status);
    return client.onStatus(setStatus);
  }, [client]);
  return status;
}

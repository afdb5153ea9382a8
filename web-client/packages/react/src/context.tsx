/** Which client the components below use. */

import type { CorellaClient } from "@corella/client";
import { createContext, type ReactNode, useContext } from "react";

const Context = createContext<CorellaClient | undefined>(undefined);

export interface CorellaProviderProps {
  readonly client: CorellaClient;
  readonly children?: ReactNode;
}

/** Gives the client to all components below. Whoever made the client closes it. */
export function CorellaProvider({ client, children }: CorellaProviderProps): ReactNode {
  return <Context.Provider value={client}>{children}</Context.Provider>;
}

/** The client of the nearest provider. Throws where there is none. */
export function useCorella(): CorellaClient {
  const client = useContext(Context);
  if (client === undefined) {
    throw new Error("No Corella client here. Put <CorellaProvider client={…}> around the components that use it.");
  }
  return client;
}

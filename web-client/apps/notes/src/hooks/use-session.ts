/** Who is signed in, and what it takes to sign in. */

import { useCallback, useEffect, useMemo, useState } from "react";

import { type Person, personOf, tidyName } from "../model/person";
import { forget, rememberedName, rememberedToken, rememberName, rememberToken } from "../session/storage";
import { requestToken } from "../session/token";

export type Session =
  | { readonly kind: "name-needed"; readonly message?: string }
  | { readonly kind: "token-needed"; readonly name: string; readonly message?: string }
  | { readonly kind: "signing-in"; readonly name: string }
  | { readonly kind: "signed-in"; readonly person: Person; readonly token: () => Promise<string> };

export interface SessionActions {
  readonly signIn: (name: string) => void;
  readonly bringToken: (name: string, token: string) => void;
  readonly signOut: () => void;
}

export function useSession(): [Session, SessionActions] {
  const [session, setSession] = useState<Session>({ kind: "name-needed" });

  const enter = useCallback(async (name: string) => {
    const brought = rememberedToken();
    if (brought !== undefined) {
      setSession({ kind: "signed-in", person: personOf(name), token: async () => brought });
      return;
    }
    setSession({ kind: "signing-in", name });
    const answer = await requestToken(name);
    switch (answer.kind) {
      case "token":
        rememberName(name);
        setSession({ kind: "signed-in", person: personOf(name), token: renewing(name, answer.token) });
        return;
      case "bring-your-own":
        setSession({ kind: "token-needed", name });
        return;
      case "failed":
        setSession({ kind: "name-needed", message: answer.message });
    }
  }, []);

  useEffect(() => {
    const name = rememberedName();
    if (name !== undefined) {
      void enter(name);
    }
  }, [enter]);

  const actions = useMemo<SessionActions>(
    () => ({
      signIn: (name) => void enter(tidyName(name)),
      bringToken: (name, token) => {
        rememberName(name);
        rememberToken(token.trim());
        void enter(name);
      },
      signOut: () => {
        forget();
        setSession({ kind: "name-needed" });
      },
    }),
    [enter],
  );

  return [session, actions];
}

/** A token is asked for at every connection and request; one that was fetched a moment ago is handed out again. */
const freshMilliseconds = 30_000;

function renewing(name: string, first: string): () => Promise<string> {
  let token = first;
  let fetchedAt = Date.now();
  return async () => {
    if (Date.now() - fetchedAt > freshMilliseconds) {
      const answer = await requestToken(name);
      if (answer.kind !== "token") {
        throw new Error(answer.kind === "failed" ? answer.message : "The server no longer offers the development sign-in.");
      }
      token = answer.token;
      fetchedAt = Date.now();
    }
    return token;
  };
}

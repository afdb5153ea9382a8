/** Who is signed in, and what it takes to sign in. */

import { useCallback, useEffect, useMemo, useState } from "react";

import { type Person, personOf, tidyName } from "../model/person";
import { forget, isKnownHere, rememberedName, rememberedToken, rememberKnown, rememberName, rememberToken } from "../session/storage";
import { requestToken, userOf } from "../session/token";

export type Session =
  | { readonly kind: "name-needed"; readonly message?: string }
  | { readonly kind: "token-needed"; readonly name: string; readonly message?: string }
  | { readonly kind: "signing-in"; readonly name: string }
  /** `user` is who the server takes the person for: what is kept on this device is kept for that one. */
  | { readonly kind: "signed-in"; readonly person: Person; readonly user: string; readonly token: (refused?: string) => Promise<string> };

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
      setSession({ kind: "signed-in", person: personOf(name), user: userOf(brought, name), token: async () => brought });
      return;
    }
    setSession({ kind: "signing-in", name });
    const answer = await requestToken(name);
    switch (answer.kind) {
      case "token":
        rememberName(name);
        rememberKnown(name);
        setSession({ kind: "signed-in", person: personOf(name), user: userOf(answer.token, name), token: renewing(name, answer.token) });
        return;
      case "unreachable":
        if (isKnownHere(name)) {
          setSession({ kind: "signed-in", person: personOf(name), user: name, token: renewing(name, undefined) });
        } else {
          setSession({ kind: "name-needed", message: answer.message });
        }
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

function renewing(name: string, first: string | undefined): (refused?: string) => Promise<string> {
  let token = first;
  let fetchedAt = Date.now();
  return async (refused) => {
    if (token === undefined || token === refused || Date.now() - fetchedAt > freshMilliseconds) {
      const answer = await requestToken(name);
      if (answer.kind !== "token") {
        throw new Error("message" in answer ? answer.message : "The server no longer offers the development sign-in.");
      }
      token = answer.token;
      fetchedAt = Date.now();
    }
    return token;
  };
}

/** What every demo app is made of: the sign-in, then the app for whoever has signed in. */

import type { CorellaClient } from "@corella/client";
import { CorellaProvider } from "@corella/react";
import type { ReactNode } from "react";

import { useClient } from "../hooks/use-client";
import { useSession } from "../hooks/use-session";
import type { Person } from "../model/person";
import { SignIn } from "./sign-in";

/** What an app knows of whoever uses it. */
export interface Signed {
  readonly client: CorellaClient;
  readonly person: Person;
  readonly onSignOut: () => void;
}

interface SignedInProps {
  /** The app's name. */
  readonly name: string;
  /** What it is for, in a sentence. */
  readonly words: string;
  readonly children: (signed: Signed) => ReactNode;
}

export function SignedIn({ name, words, children }: SignedInProps) {
  const [session, actions] = useSession();
  return session.kind === "signed-in" ? (
    <WithClient {...session} onSignOut={actions.signOut} show={children} />
  ) : (
    <SignIn name={name} words={words} session={session} actions={actions} />
  );
}

interface WithClientProps {
  readonly person: Person;
  readonly user: string;
  readonly token: (refused?: string) => Promise<string>;
  readonly onSignOut: () => void;
  readonly show: (signed: Signed) => ReactNode;
}

function WithClient({ person, user, token, onSignOut, show }: WithClientProps) {
  const client = useClient(user, token);
  return client && <CorellaProvider client={client}>{show({ client, person, onSignOut })}</CorellaProvider>;
}

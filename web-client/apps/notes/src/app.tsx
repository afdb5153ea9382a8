/** The whole page: the sign-in, then the notes. */

import { CorellaProvider } from "@corella/react";

import { SignIn } from "./components/sign-in";
import { Workspace } from "./components/workspace";
import { useClient } from "./hooks/use-client";
import { useSession } from "./hooks/use-session";
import type { Person } from "./model/person";

export function App() {
  const [session, actions] = useSession();
  return session.kind === "signed-in" ? (
    <SignedIn person={session.person} user={session.user} token={session.token} onSignOut={actions.signOut} />
  ) : (
    <SignIn session={session} actions={actions} />
  );
}

interface SignedInProps {
  readonly person: Person;
  readonly user: string;
  readonly token: (refused?: string) => Promise<string>;
  readonly onSignOut: () => void;
}

function SignedIn({ person, user, token, onSignOut }: SignedInProps) {
  const client = useClient(user, token);
  return (
    client && (
      <CorellaProvider client={client}>
        <Workspace client={client} person={person} onSignOut={onSignOut} />
      </CorellaProvider>
    )
  );
}

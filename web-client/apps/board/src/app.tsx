/** The whole page: the sign-in, then the board. */

import { type Person, SignIn, useClient, useSession } from "@corella/app-kit";
import { CorellaProvider } from "@corella/react";

import { Board } from "./components/board";

export function App() {
  const [session, actions] = useSession();
  return session.kind === "signed-in" ? (
    <SignedIn person={session.person} user={session.user} token={session.token} onSignOut={actions.signOut} />
  ) : (
    <SignIn name="Board" words="Arranged together. Others see where you are." session={session} actions={actions} />
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
        <Board client={client} person={person} onSignOut={onSignOut} />
      </CorellaProvider>
    )
  );
}

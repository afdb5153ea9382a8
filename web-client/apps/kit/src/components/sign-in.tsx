/** The first page: a name, and a token where the server wants one. */

import { type FormEvent, useId } from "react";

import type { Session, SessionActions } from "../hooks/use-session";
import { Mark } from "./icons";

interface SignInProps {
  /** The app's name, and what it is for. */
  readonly name: string;
  readonly words: string;
  readonly session: Exclude<Session, { readonly kind: "signed-in" }>;
  readonly actions: SessionActions;
}

export function SignIn({ name, words, session, actions }: SignInProps) {
  const needsToken = session.kind === "token-needed";
  const busy = session.kind === "signing-in";
  const message = session.kind === "signing-in" ? undefined : session.message;
  const field = useId();

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const value = new FormData(event.currentTarget).get(needsToken ? "token" : "name");
    if (typeof value !== "string" || value.trim() === "") {
      return;
    }
    if (needsToken) {
      actions.bringToken(session.name, value);
    } else {
      actions.signIn(value);
    }
  };

  return (
    <main className="sign-in">
      <form className="sign-in-card" onSubmit={submit}>
        <Mark />
        <h1>{name}</h1>
        {needsToken ? (
          <>
            <p>This server has no development sign-in. Paste a token, made with “corella token”.</p>
            <label htmlFor={field}>Token</label>
            <input key="token" id={field} name="token" autoComplete="off" spellCheck={false} required autoFocus data-testid="token" />
          </>
        ) : (
          <>
            <p>{words}</p>
            <label htmlFor={field}>Your name</label>
            <input
              key="name"
              id={field}
              name="name"
              autoComplete="nickname"
              maxLength={32}
              defaultValue={busy ? session.name : ""}
              required
              autoFocus
              data-testid="user-name"
            />
          </>
        )}
        <button className="button-primary" type="submit" disabled={busy} data-testid="sign-in">
          {busy ? "Signing in" : "Sign in"}
        </button>
        <p className="sign-in-message" role="alert">
          {message}
        </p>
      </form>
    </main>
  );
}

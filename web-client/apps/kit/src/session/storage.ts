/** What the page remembers between visits: who writes here, and a token if one was brought. */

import { tidyName } from "../model/person";

const nameKey = "corella.user";
const knownKey = "corella.known.";
const tokenKey = "corella.token";

/** The address comes first (`?user=ada`), so that two windows can be two people. */
export function rememberedName(): string | undefined {
  const name = tidyName(new URLSearchParams(location.search).get("user") ?? localStorage.getItem(nameKey) ?? "");
  return name === "" ? undefined : name;
}

export function rememberName(name: string): void {
  localStorage.setItem(nameKey, name);
}

/** Whether this person has been signed in on this device before: then the device has the person's notes. */
export function isKnownHere(name: string): boolean {
  return localStorage.getItem(knownKey + name) !== null;
}

export function rememberKnown(name: string): void {
  localStorage.setItem(knownKey + name, "1");
}

export function rememberedToken(): string | undefined {
  return sessionStorage.getItem(tokenKey) ?? undefined;
}

export function rememberToken(token: string): void {
  sessionStorage.setItem(tokenKey, token);
}

/** Forgets the name and the token, in the address too. */
export function forget(): void {
  localStorage.removeItem(nameKey);
  sessionStorage.removeItem(tokenKey);
  const address = new URL(location.href);
  address.searchParams.delete("user");
  history.replaceState(null, "", address);
}

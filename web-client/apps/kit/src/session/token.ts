/** How the page gets a token: from the development sign-in, where the server offers one. */

export type TokenAnswer =
  | { readonly kind: "token"; readonly token: string }
  /** The server has no development sign-in: somebody must bring a token. */
  | { readonly kind: "bring-your-own" }
  /** Nobody answers: who was here before can work on. */
  | { readonly kind: "unreachable"; readonly message: string }
  | { readonly kind: "failed"; readonly message: string };

export async function requestToken(user: string): Promise<TokenAnswer> {
  let response: Response;
  try {
    response = await fetch(new URL("/dev/token", location.origin), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ user }),
    });
  } catch {
    return { kind: "unreachable", message: "The server cannot be reached. Is it running?" };
  }
  if (response.status === 404) {
    return { kind: "bring-your-own" };
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok && hasText(body, "token")) {
    return { kind: "token", token: body.token };
  }
  return { kind: "failed", message: hasText(body, "detail") ? body.detail : `The server answered ${response.status}.` };
}

function hasText<Key extends string>(value: unknown, key: Key): value is Record<Key, string> {
  return typeof value === "object" && value !== null && typeof (value as Record<string, unknown>)[key] === "string";
}

/** Whom a token speaks of, as its claims say; the name, where it has none that can be read. */
export function userOf(token: string, name: string): string {
  try {
    const claims: unknown = JSON.parse(atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/")));
    return hasText(claims, "sub") ? claims.sub : name;
  } catch {
    return name;
  }
}

/** The people who write: their names and the color that each of them keeps everywhere. */

export interface Person {
  readonly name: string;
  readonly color: string;
}

/** Dark enough for white letters, and far enough apart to tell neighbours from each other. */
const palette = ["#b83a1e", "#b0226b", "#7e3fb8", "#4353c9", "#0b69a3", "#0f766e", "#3d7a1f", "#94600a"] as const;

const longestName = 32;

/** A name as it is shown: without surrounding space, and of bounded length. */
export function tidyName(name: string): string {
  return [...name.trim().replace(/\s+/g, " ")].slice(0, longestName).join("");
}

/** The same name has the same color on every screen, so the color need not be trusted from the wire. */
export function personOf(name: string): Person {
  let hash = 2166136261;
  for (const letter of name) {
    hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 16777619);
  }
  return { name, color: palette[(hash >>> 8) % palette.length] ?? palette[0] };
}

/** How long to wait before trying again. */

const FIRST_MILLISECONDS = 500;
const LONGEST_MILLISECONDS = 15_000;

/** Nobody looks at a hidden page; it is woken when somebody does. */
const LONGEST_HIDDEN_MILLISECONDS = 120_000;

/**
 * The wait before attempt `attempt` (0 is the first repetition): doubling from half a second to 15 seconds.
 *
 * A random part of up to one half is taken off, so that clients which lost the same server do not return in one moment.
 */
export function backoffMilliseconds(attempt: number, { isHidden = false, random = Math.random }: { readonly isHidden?: boolean; readonly random?: () => number } = {}): number {
  const ceiling = Math.min(isHidden ? LONGEST_HIDDEN_MILLISECONDS : LONGEST_MILLISECONDS, FIRST_MILLISECONDS * 2 ** Math.min(attempt, 16));
  return ceiling * (1 - random() / 2);
}

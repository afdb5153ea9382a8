/** The one error of the codec. */

/**
 * - `malformed`: the bytes break the protocol, and something that was meant for us is lost.
 * - `unsupported`: a well-formed frame of a kind that this client does not speak.
 */
export type WireErrorKind = "malformed" | "unsupported";

/** A frame that could not be read or written. Says what was expected and what came. */
export class WireError extends Error {
  override readonly name = "WireError";
  readonly kind: WireErrorKind;

  constructor(kind: WireErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

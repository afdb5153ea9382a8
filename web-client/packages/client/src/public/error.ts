/** The one error class of this package. */

/** What went wrong, as a stable `code`, and in words that say how to mend it. */
export class CorellaError extends Error {
  override readonly name = "CorellaError";
  readonly code: string;
  /** The HTTP status, or 0 where no HTTP answer was involved. */
  readonly status: number;

  constructor(code: string, message: string, options: { readonly status?: number; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status ?? 0;
  }
}

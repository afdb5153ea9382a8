/** What a closed socket's code asks of the client. */

/**
 * - `retry`: come back after a while.
 * - `renew`: come back with a new token.
 * - `stop`: stay away; the same attempt would end the same way.
 */
export type AfterClose = "retry" | "renew" | "stop";

const POLICY_VIOLATION = 1008;
const FRAME_TOO_LARGE = 1009;
const UNAUTHENTICATED = 4401;

export function afterClose(code: number): AfterClose {
  if (code === UNAUTHENTICATED) {
    return "renew";
  }
  // 4400 to 4499 mirror the HTTP codes that blame the request.
  return code === POLICY_VIOLATION || code === FRAME_TOO_LARGE || (code >= 4400 && code <= 4499) ? "stop" : "retry";
}

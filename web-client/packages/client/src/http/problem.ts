/** Failed HTTP answers, as errors. */

import { CorellaError } from "../public/error.js";

/** Reads an RFC 9457 problem; makes do with the status where the body is something else, such as a proxy's page. */
export async function toError(response: Response): Promise<CorellaError> {
  const status = response.status;
  const body: unknown = await response.json().catch(() => undefined);
  if (typeof body === "object" && body !== null) {
    const { code, title, detail } = body as Readonly<Record<string, unknown>>;
    const words = [detail, title].find((text): text is string => typeof text === "string" && text !== "");
    if (typeof code === "string") {
      return new CorellaError(code, words ?? `The server answered with status ${status}.`, { status });
    }
  }
  return new CorellaError("http_error", `The server answered with status ${status} and no explanation. Check the client's url.`, { status });
}

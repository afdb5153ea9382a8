/** A server and a browser, for all tests of a file. */

import type { Browser } from "playwright-core";
import { afterAll, beforeAll } from "vitest";

import { launch } from "./browser.js";
import { Server } from "./server.js";

export interface Stage {
  readonly server: Server;
  readonly browser: Browser;
}

/** Both are started before the file's first test, and stopped after its last. */
export function onStage(app: Parameters<typeof Server.start>[0]): Stage {
  const stage = {} as { server: Server; browser: Browser };
  beforeAll(async () => {
    [stage.server, stage.browser] = await Promise.all([Server.start(app), launch()]);
  });
  afterAll(async () => {
    await stage.browser.close();
    await stage.server.stop();
  });
  return stage;
}

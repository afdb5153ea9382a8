/** What the package costs a page, without `loro-crdt`, which every page of this kind has anyway. */

import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { expect, test } from "vitest";

const MOST_BYTES = 25 * 1024;

test(`the client has at most ${MOST_BYTES} bytes, packed`, async () => {
  const bundle = await rolldown({
    input: resolve(import.meta.dirname, "../../src/index.ts"),
    external: ["loro-crdt"],
    platform: "browser",
  });
  const { output } = await bundle.generate({ format: "esm", minify: true });
  await bundle.close();
  const code = output.map((chunk) => (chunk.type === "chunk" ? chunk.code : "")).join("");
  const bytes = gzipSync(code, { level: 9 }).length;
  console.info(`@corella/client: ${bytes} bytes packed, ${code.length} plain`);
  expect(bytes).toBeLessThanOrEqual(MOST_BYTES);
});

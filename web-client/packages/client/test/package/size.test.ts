/** What the package costs a page at its start, without `loro-crdt`, which every page of this kind has anyway. */

import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { expect, test } from "vitest";

const MOST_BYTES = 25 * 1024;

test(`the client has at most ${MOST_BYTES} bytes, packed`, async () => {
  const bundle = await rolldown({
    input: resolve(import.meta.dirname, "core.ts"),
    external: ["loro-crdt"],
    platform: "browser",
    // As bundlers of pages do: what the entry shares with what is loaded later is part of the entry.
    preserveEntrySignatures: "allow-extension",
  });
  const { output } = await bundle.generate({ format: "esm", minify: true });
  await bundle.close();
  const chunks = new Map(output.flatMap((each) => (each.type === "chunk" ? [[each.fileName, each] as const] : [])));
  // What is loaded when it is first used is not part of it.
  const loaded = new Set([...chunks.values()].filter(({ isEntry }) => isEntry).map(({ fileName }) => fileName));
  for (const name of loaded) {
    chunks.get(name)?.imports.forEach((each) => loaded.add(each));
  }
  const code = [...loaded].map((name) => chunks.get(name)?.code ?? "").join("");
  const bytes = gzipSync(code, { level: 9 }).length;
  console.info(`@corella/client: ${bytes} bytes packed, ${code.length} plain`);
  expect(bytes).toBeLessThanOrEqual(MOST_BYTES);
});

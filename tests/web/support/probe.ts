/** Opens the probe page: `@corella/client` in a real browser, at the server's own address. */

import { readFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";

import type { Browser, BrowserContext, Page } from "playwright-core";
import { build } from "vite";
import { onTestFinished } from "vitest";

const source = resolve(import.meta.dirname, "probe/page.ts");
const dependencies = resolve(import.meta.dirname, "../../../web-client/node_modules");

let built: Promise<string> | undefined;

/** The folder with the built page. Once for each test file. */
function buildProbe(): Promise<string> {
  built ??= (async () => {
    const folder = resolve(import.meta.dirname, "../node_modules/.probe", String(process.pid));
    await build({
      configFile: false,
      logLevel: "error",
      base: "/probe/",
      resolve: {
        alias: [
          { find: /^loro-crdt$/, replacement: join(dependencies, "loro-crdt/web/index.js") },
          { find: /^@tanstack\/db$/, replacement: join(dependencies, "@tanstack/db") },
          { find: /^loro-crdt\/web\//, replacement: `${join(dependencies, "loro-crdt/web")}/` },
        ],
      },
      build: { outDir: folder, emptyOutDir: true, target: "es2022", assetsInlineLimit: 0, rollupOptions: { input: source, output: { entryFileNames: "page.js", chunkFileNames: "[name]-[hash].js", assetFileNames: "[name][extname]" } } },
    });
    return folder;
  })();
  return built;
}

/** A browser's own storage, for as many tabs as the test opens in it. */
export async function openContext(browser: Browser, address: string): Promise<BrowserContext> {
  const folder = await buildProbe();
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  await context.route(`${address}/probe/**`, async (route) => {
    const name = basename(new URL(route.request().url()).pathname);
    if (name === "probe" || name === "index.html") {
      await route.fulfill({ contentType: "text/html", body: '<!doctype html><link rel="icon" href="data:," /><script type="module" src="/probe/page.js"></script>' });
    } else {
      await route.fulfill({ contentType: name.endsWith(".wasm") ? "application/wasm" : "text/javascript", body: await readFile(join(folder, name)) });
    }
  });
  return context;
}

export async function openTab(context: BrowserContext, address: string): Promise<Page> {
  const page = await context.newPage();
  page.on("pageerror", (error) => console.error(error.stack));
  await page.goto(`${address}/probe/index.html`);
  await page.waitForFunction(() => document.title === "ready");
  return page;
}

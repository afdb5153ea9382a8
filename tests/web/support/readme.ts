/** Pages made of the examples in a package's README, as they stand there. */

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { promisify } from "node:util";

import type { Browser, Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, expect, onTestFinished } from "vitest";

import { launch } from "./browser.js";
import { Server } from "./server.js";

const run = promisify(execFile);
const webClient = resolve(import.meta.dirname, "../../../web-client");

export interface ReadmeOptions {
  readonly package: string;
  /** The examples that are to be there, by their language; those behind them are left out where there are more. */
  readonly examples: readonly string[];
  readonly more?: true;
  /** What the examples leave to the reader, before them, and what the test adds, behind them. */
  readonly before?: string;
  readonly behind?: string;
  /** What stands in the examples, and what is meant on the page. */
  readonly meant: readonly (readonly [string, string])[];
  readonly body: string;
  readonly entities: readonly object[];
}

export interface ReadmeStage {
  readonly server: Server;
  open(user: string): Promise<Page>;
}

const before = `
import loadLoro from "loro-crdt/web/loro_wasm.js";
await loadLoro();
const user = new URL(location.href).searchParams.get("user")!;
const fetchToken = async (): Promise<string> => (await (await fetch("/dev/token", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ user }) })).json()).token;
`;

/** A server of these entities and a browser with the page, for all tests of a file. */
export function onReadme(options: ReadmeOptions): ReadmeStage {
  // Among the packages that it names, so that they are found as anybody's tools find them.
  const source = join(webClient, "node_modules/.readme", `${options.package}-${process.pid}`);
  let [folder, browser, server] = ["", undefined as Browser | undefined, undefined as Server | undefined];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "corella-readme-"));
    const policies = (options.entities as readonly { readonly name: string }[]).map(({ name }) => ({ name, entity: name, allow: "auth.userId != null" }));
    await writeFile(join(folder, "manifest.json"), JSON.stringify({ manifest_version: 1, name: "readme", version: "1", entities: options.entities, policies }));
    [server, browser] = await Promise.all([Server.start(`/${join(folder, "manifest.json").slice(1)}`), launch()]);
    await buildPage(options, source, join(folder, "dist"));
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    await Promise.all([folder, source].map((each) => rm(each, { recursive: true, force: true })));
  });
  return {
    get server() {
      return server as Server;
    },
    open: (user) => open(browser as Browser, (server as Server).url, join(folder, "dist"), options.body, user),
  };
}

async function buildPage({ package: name, examples, more, before: own = "", behind = "", meant }: ReadmeOptions, source: string, outDir: string): Promise<void> {
  const text = await readFile(join(webClient, "packages", name, "README.md"), "utf8");
  const all = [...text.matchAll(/^```(tsx?)\n(.*?)^```$/gms)];
  const blocks = more === true ? all.slice(0, examples.length) : all;
  expect(blocks.map(([, language]) => language)).toEqual(examples);
  const code = meant.reduce(
    (code, [shown, means]) => {
      expect(code).toContain(shown);
      return code.replace(shown, means);
    },
    blocks.map(([, , block]) => block).join(""),
  );
  const page = join(source, "page.tsx");
  await mkdir(source, { recursive: true });
  await writeFile(page, `${before}${own}${code}${behind}document.title = "ready";\n`);
  await writeFile(join(source, "package.json"), JSON.stringify({ type: "module" }));
  const compilerOptions = { strict: true, noEmit: true, jsx: "react-jsx", module: "esnext", moduleResolution: "bundler", target: "es2022", lib: ["es2023", "dom", "dom.iterable"], skipLibCheck: true, types: [] };
  await writeFile(join(source, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["page.tsx"] }));
  const checked = await run(process.execPath, [join(webClient, "node_modules/typescript/bin/tsc"), "-p", source]).catch((error: { stdout: string }) => error);
  expect(checked.stdout, "the examples are right in their types").toBe("");
  await build({
    configFile: false,
    logLevel: "error",
    base: "/readme/",
    resolve: {
      alias: [
        { find: /^loro-crdt$/, replacement: join(webClient, "node_modules/loro-crdt/web/index.js") },
        { find: /^loro-crdt\/web\//, replacement: `${join(webClient, "node_modules/loro-crdt/web")}/` },
      ],
    },
    build: { outDir, target: "es2022", assetsInlineLimit: 0, rollupOptions: { input: page, output: { entryFileNames: "page.js", chunkFileNames: "[name]-[hash].js", assetFileNames: "[name][extname]" } } },
  });
}

async function open(browser: Browser, address: string, folder: string, body: string, user: string): Promise<Page> {
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  await context.route(`${address}/readme/**`, async (route) => {
    const name = basename(new URL(route.request().url()).pathname);
    if (name === "index.html") {
      await route.fulfill({ contentType: "text/html", body: `<!doctype html><link rel="icon" href="data:," />${body}<script type="module" src="/readme/page.js"></script>` });
    } else {
      await route.fulfill({ contentType: name.endsWith(".wasm") ? "application/wasm" : "text/javascript", body: await readFile(join(folder, name)) });
    }
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  onTestFinished(() => expect(complaints, `the page of ${user} complained`).toEqual([]));
  page.on("pageerror", (error) => complaints.push(error.stack ?? error.message));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(`${address}/readme/index.html?user=${user}`);
  await page.waitForFunction(() => document.title === "ready");
  return page;
}

/** The tutorial, as it is written: its files in a folder of their own, the packages as npm packs them, two people in Chromium. */

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { promisify } from "node:util";

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { expectAccessible } from "../support/axe.js";
import { launch } from "../support/browser.js";
import { Server } from "../support/server.js";

const run = promisify(execFile);
const project = resolve(import.meta.dirname, "../../..");
const webClient = join(project, "web-client");
const packed = ["client", "editors", "react", "tanstack"];
/** What `npm install` would bring beside our own packages. */
const brought = ["loro-crdt", "idb", "typescript", "vite", "@tanstack/db", "react", "@types/react", "csstype"];

let folder: string;
let browser: Browser;
let server: Server;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "corella-tutorial-"));
  await writeTutorial();
  await installPackages();
  [server, browser] = await Promise.all([Server.start(`/${join(folder, "manifest.json").slice(1)}`), launch()]);
});
afterAll(async () => {
  await browser.close();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A block of code whose first line names a file is that file. */
async function writeTutorial(): Promise<void> {
  const text = await readFile(join(project, "docs/tutorial.md"), "utf8");
  const files = [...text.matchAll(/^```\w+ (\S+)\n(.*?)^```$/gms)];
  expect(files.map(([, name]) => name)).toEqual(["manifest.json", "vite.config.ts", "index.html", "main.ts"]);
  await Promise.all(files.map(([, name, content]) => writeFile(join(folder, name ?? ""), content ?? "")));
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "shopping", private: true, type: "module" }));
}

/** What is packed is unpacked here; what it depends on is taken from where it is installed already. */
async function installPackages(): Promise<void> {
  const home = join(folder, "node_modules/@corella");
  await mkdir(home, { recursive: true });
  for (const name of packed) {
    const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: join(webClient, "packages", name) });
    const [{ filename }] = JSON.parse(stdout) as [{ readonly filename: string }];
    await mkdir(join(home, name));
    await run("tar", ["-xzf", join(folder, filename), "-C", join(home, name), "--strip-components=1"]);
  }
  await mkdir(join(folder, "node_modules/@tanstack"));
  await mkdir(join(folder, "node_modules/@types"));
  await Promise.all(brought.map((name) => symlink(join(webClient, "node_modules", name), join(folder, "node_modules", name))));
}

const vite = (...more: string[]) => run(process.execPath, [join(webClient, "node_modules/vite/bin/vite.js"), "build", ...more], { cwd: folder });

test("the packages hold what they promise: types, modules, and nothing that was not meant for them", async () => {
  for (const name of packed) {
    const home = join(folder, "node_modules/@corella", name);
    const { exports: entries, sideEffects, type } = JSON.parse(await readFile(join(home, "package.json"), "utf8")) as { readonly exports: Record<string, string | { readonly types: string; readonly default: string }>; readonly sideEffects: boolean; readonly type: string };
    expect([type, sideEffects]).toEqual(["module", false]);
    for (const entry of Object.values(entries)) {
      for (const file of typeof entry === "string" ? [entry] : [entry.types, entry.default]) {
        await expect(readFile(join(home, file)), `${name} has ${file}`).resolves.toBeDefined();
      }
    }
    expect((await readdir(home)).sort()).toEqual(["README.md", "dist", "package.json"]);
  }
  await writeFile(join(folder, "check.ts"), packed.map((name, index) => `export * as p${index} from "@corella/${name === "editors" ? "editors/text-input" : name}";\n`).join(""));
  const options = { strict: true, noEmit: true, module: "esnext", moduleResolution: "bundler", target: "es2022", lib: ["es2023", "dom", "dom.iterable"], skipLibCheck: false, types: [] };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["check.ts", "main.ts"] }));
  const { stdout } = await run(process.execPath, [join(webClient, "node_modules/typescript/bin/tsc"), "-p", folder]).catch((error: { stdout: string }) => error);
  expect(stdout).toBe("");
});

test("two people share what the tutorial has built", async () => {
  await vite();
  const open = async (user: string): Promise<Page> => {
    const context = await browser.newContext();
    await context.route(`${server.url}/app/**`, async (route) => {
      const name = basename(new URL(route.request().url()).pathname);
      const isPage = name === "app" || name === "";
      const contentType = isPage ? "text/html" : name.endsWith(".wasm") ? "application/wasm" : "text/javascript";
      await route.fulfill({ contentType, body: await readFile(isPage ? join(folder, "dist/index.html") : join(folder, "dist/assets", name)) });
    });
    const page = await context.newPage();
    page.on("pageerror", (error) => console.error(error.stack));
    await page.goto(`${server.url}/app/?user=${user}`);
    await expect.poll(() => page.locator("#status").textContent()).toBe("online, 0 unsent");
    return page;
  };
  const [ada, bob] = await Promise.all([open("ada"), open("bob")]);
  await ada.locator("#add input").fill("Bread");
  await ada.keyboard.press("Enter");
  await expect.poll(() => bob.locator("#items button").allTextContents()).toEqual(["Bread"]);
  await bob.locator("#items input").check();
  await expect.poll(() => ada.locator("#items input").isChecked()).toBe(true);
  await Promise.all([ada, bob].map((page) => page.getByRole("button", { name: "Bread" }).click()));
  await Promise.all([ada, bob].map((page) => expect.poll(() => page.locator("#notes").isEnabled()).toBe(true)));
  await Promise.all([ada.locator("#notes").pressSequentially("rye "), bob.locator("#notes").pressSequentially("TWO ")]);
  await expect.poll(async () => (await ada.locator("#notes").inputValue()).length).toBe(8);
  await expect.poll(() => bob.locator("#notes").inputValue()).toBe(await ada.locator("#notes").inputValue());
  await expectAccessible(ada);

  // And without the server.
  await server.end("SIGTERM");
  await ada.locator("#add input").fill("Coffee");
  await ada.keyboard.press("Enter");
  await expect.poll(() => ada.locator("#status").textContent()).toBe("connecting, 1 unsent");
  await server.restart();
  await expect.poll(() => bob.locator("#items button").allTextContents()).toEqual(["Bread", "Coffee"]);
});

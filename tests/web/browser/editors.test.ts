/** What the README of `@corella/editors` shows, as it stands there, on one page: two people in each of its editors. */

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";

import type { Browser, Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";

import { launch } from "../support/browser.js";
import { Server } from "../support/server.js";

const webClient = resolve(import.meta.dirname, "../../../web-client");
const body = '<!doctype html><link rel="icon" href="data:," /><textarea></textarea><div id="body"></div><div id="story"></div><script type="module" src="/editors/page.js"></script>';
/** Among the packages that it names, so that they are found as anybody's bundler finds them. */
const source = join(webClient, "node_modules/.editors", String(process.pid));
const before = `
import loadLoro from "loro-crdt/web/loro_wasm.js";
await loadLoro();
const user = new URL(location.href).searchParams.get("user")!;
const fetchToken = async () => (await (await fetch("/dev/token", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ user }) })).json()).token;
`;

let folder: string;
let browser: Browser;
let server: Server;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "corella-editors-"));
  const fields = [{ name: "notes", type: "string", crdt: "text", optional: true }, { name: "body", type: "document", optional: true }, { name: "story", type: "document", optional: true }];
  const manifest = { manifest_version: 1, name: "tasks", version: "1", entities: [{ name: "Task", fields }], policies: [{ name: "all", entity: "Task", allow: "auth.userId != null" }] };
  await writeFile(join(folder, "manifest.json"), JSON.stringify(manifest));
  [server, browser] = await Promise.all([Server.start(`/${join(folder, "manifest.json").slice(1)}`), launch()]);
  await buildPage();
});
afterAll(async () => {
  await browser.close();
  await server.stop();
  await Promise.all([folder, source].map((each) => rm(each, { recursive: true, force: true })));
});

/** All of the README's examples, one behind the other. */
async function buildPage(): Promise<void> {
  const text = await readFile(join(webClient, "packages/editors/README.md"), "utf8");
  const blocks = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code);
  expect(blocks).toHaveLength(4);
  const own = [
    ['"http://localhost:4400"', "location.origin"],
    ['user: "ada"', "user"],
    ['name: "Ada"', "name: user"],
  ] as const;
  const code = own.reduce((code, [shown, meant]) => {
    expect(code).toContain(shown);
    return code.replace(shown, meant);
  }, blocks.join(""));
  await mkdir(source, { recursive: true });
  await writeFile(join(source, "page.ts"), `${before}${code}document.title = "ready";\n`);
  await build({
    configFile: false,
    logLevel: "error",
    base: "/editors/",
    resolve: {
      alias: [
        { find: /^loro-crdt$/, replacement: join(webClient, "node_modules/loro-crdt/web/index.js") },
        { find: /^loro-crdt\/web\//, replacement: `${join(webClient, "node_modules/loro-crdt/web")}/` },
      ],
    },
    build: { outDir: join(folder, "dist"), target: "es2022", assetsInlineLimit: 0, rollupOptions: { input: join(source, "page.ts"), output: { entryFileNames: "page.js", chunkFileNames: "[name]-[hash].js", assetFileNames: "[name][extname]" } } },
  });
}

async function open(user: string): Promise<Page> {
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  await context.route(`${server.url}/editors/**`, async (route) => {
    const name = basename(new URL(route.request().url()).pathname);
    if (name === "index.html") {
      await route.fulfill({ contentType: "text/html", body });
    } else {
      await route.fulfill({ contentType: name.endsWith(".wasm") ? "application/wasm" : "text/javascript", body: await readFile(join(folder, "dist", name)) });
    }
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  onTestFinished(() => expect(complaints, `the page of ${user} complained`).toEqual([]));
  page.on("pageerror", (error) => complaints.push(error.stack ?? error.message));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(`${server.url}/editors/index.html?user=${user}`);
  await page.waitForFunction(() => document.title === "ready");
  return page;
}

/** What is written in an editor, a line for each block, without the others' cursors. */
const written = (page: Page, editor: string): Promise<string> =>
  page.locator(`${editor} .ProseMirror`).evaluate((element) => {
    const copy = element.cloneNode(true) as HTMLElement;
    copy.querySelectorAll(".remote-cursor, .ProseMirror-trailingBreak, .ProseMirror-separator").forEach((widget) => widget.remove());
    return [...copy.children].map((block) => block.textContent).join("\n");
  });

async function same(ada: Page, bob: Page, editor: string, length: number): Promise<string> {
  await expect.poll(async () => (await written(ada, editor)).replaceAll("\n", "").length).toBe(length);
  await expect.poll(() => written(bob, editor)).toBe(await written(ada, editor));
  return written(ada, editor);
}

const type = async (page: Page, editor: string, text: string): Promise<void> => {
  await page.locator(`${editor} .ProseMirror`).focus();
  await page.keyboard.type(text, { delay: 8 });
};

for (const [name, editor, bold] of [
  ["ProseMirror", "#body", undefined],
  ["TipTap", "#story", "strong"],
] as const) {
  test(`two people write in one ${name} editor from its first letter on, and take back their own`, async () => {
    const [ada, bob] = await Promise.all([open("ada"), open("bob")]);
    await Promise.all([type(ada, editor, "thequickbrownfox"), type(bob, editor, "PACKMYBOX")]);
    const text = await same(ada, bob, editor, 25);
    expect([text.replace(/[^a-z]/g, ""), text.replace(/[^A-Z]/g, "")], "each one's letters, in their order").toEqual(["thequickbrownfox", "PACKMYBOX"]);

    // Steps may be large or small; each takes back Ada's words alone.
    await expect
      .poll(async () => {
        await ada.locator(`${editor} .ProseMirror`).focus();
        await ada.keyboard.press("ControlOrMeta+z");
        return (await written(ada, editor)).replace(/[^a-z]/g, "");
      })
      .toBe("");
    expect((await same(ada, bob, editor, 9)).replaceAll("\n", "")).toBe("PACKMYBOX");
    await expect
      .poll(async () => {
        await ada.keyboard.press("ControlOrMeta+Shift+z");
        return (await written(ada, editor)).replace(/[^a-z]/g, "");
      })
      .toBe("thequickbrownfox");
    await same(ada, bob, editor, 25);

    if (bold === undefined) {
      await bob.locator(`${editor} .ProseMirror`).focus();
      await expect.poll(() => ada.locator(`${editor} .remote-cursor-name`).allTextContents()).toEqual(["bob"]);
    } else {
      await bob.locator(`${editor} .ProseMirror`).focus();
      await bob.keyboard.press("ControlOrMeta+a");
      await bob.keyboard.press("ControlOrMeta+b");
      await expect.poll(async () => (await ada.locator(`${editor} ${bold}`).allTextContents()).join("").length).toBe(25);
    }
  });
}

test("a text input and CodeMirror are two editors on one text", async () => {
  const [ada, bob] = await Promise.all([open("ada"), open("bob")]);
  await ada.locator("textarea").pressSequentially("one ");
  await expect.poll(() => bob.locator(".cm-content").innerText()).toBe("one ");
  await bob.locator(".cm-content").focus();
  await bob.keyboard.press("ControlOrMeta+End");
  await bob.keyboard.type("TWO");
  await expect.poll(() => ada.locator("textarea").inputValue()).toBe("one TWO");
});

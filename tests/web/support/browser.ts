/** People at the notes page: each has a browser window of their own, and any complaint of a page fails the test. */

import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";

import { type Browser, type BrowserContext, chromium, type Locator, type Page } from "playwright-core";
import { expect, onTestFinished } from "vitest";

import type { Server } from "./server.js";

const screenshots = resolve(import.meta.dirname, "../screenshots");

/** What the browser itself says of a server that is away; the page can do nothing about these lines. */
const awayLines = /net::ERR_CONNECTION_REFUSED|net::ERR_CONNECTION_RESET|net::ERR_EMPTY_RESPONSE|WebSocket connection to .* failed/;

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      // The probe page is handed to the browser by the test, which therefore takes it for one from the internet.
      "--disable-features=LocalNetworkAccessChecks",
    ],
  });
}

/** How long Chromium may take to open a window, on a machine that is busy with something else. */
const windowMilliseconds = 20_000;

/** Playwright waits for a window without a deadline. One that does not come is asked for once more, and the log says so. */
async function opened<Opened>(open: () => Promise<Opened>): Promise<Opened> {
  let deadline: ReturnType<typeof setTimeout> | number | undefined;
  const late = new Promise<undefined>((resolve) => {
    deadline = setTimeout(resolve, windowMilliseconds);
  });
  const first = await Promise.race([open(), late]);
  clearTimeout(deadline);
  if (first === undefined) {
    console.warn(`Chromium opened no window within ${windowMilliseconds} ms; the test asks again.`);
  }
  return first ?? open();
}

export interface Looks {
  readonly colorScheme?: "light" | "dark";
  readonly device?: "desktop" | "phone";
}

const viewports = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } } as const;

/** One person at one page. */
export class Visitor {
  readonly name: string;
  readonly page: Page;
  readonly #complaints: string[];
  #serverMayBeAway = false;

  private constructor(name: string, page: Page, complaints: string[]) {
    this.name = name;
    this.page = page;
    this.#complaints = complaints;
  }

  /** Opens the page, at the sign-in if there is no name, else signed in at the list. */
  static async arrive(browser: Browser, server: Server, name: string, looks: Looks = {}, path = ""): Promise<Visitor> {
    const device = looks.device ?? "desktop";
    const options = {
      viewport: viewports[device],
      colorScheme: looks.colorScheme ?? "light",
      deviceScaleFactor: device === "phone" ? 2 : 1,
      hasTouch: device === "phone",
    };
    const context = await opened(() => browser.newContext(options));
    const visitor = await Visitor.#open(context, name);
    onTestFinished(async () => {
      await context.close();
      expect(visitor.complaints, `the page of ${name || "a stranger"} complained`).toEqual([]);
    });
    await visitor.#signIn(server, path);
    return visitor;
  }

  /** Another window of the same person in the same browser. */
  async another(server: Server): Promise<Visitor> {
    const visitor = await Visitor.#open(this.page.context(), this.name);
    onTestFinished(() => expect(visitor.complaints, `another page of ${this.name} complained`).toEqual([]));
    await visitor.#signIn(server);
    return visitor;
  }

  static async #open(context: BrowserContext, name: string): Promise<Visitor> {
    const page = await opened(() => context.newPage());
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(`uncaught: ${error.stack ?? error.message}`));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") {
        complaints.push(`${message.type()}: ${message.text()} (${message.location().url})`);
      }
    });
    return new Visitor(name, page, complaints);
  }

  async #signIn(server: Server, path = ""): Promise<void> {
    await this.page.goto(`${server.url}/${path}${this.name === "" ? "" : `?user=${this.name}`}`);
    if (this.name !== "") {
      await expect.poll(() => this.find("status").getAttribute("data-status")).toMatch(/online|synced/);
    }
  }

  /** Waits until the browser has the page itself, so that it opens without a server. */
  async keptWhole(): Promise<void> {
    await expect
      .poll(() =>
        this.page.evaluate(async () => {
          const kept = await (await caches.open(`page ${location.pathname}`)).keys();
          const used = performance.getEntriesByType("resource").map(({ name }) => name);
          return used.filter((url) => url.includes("/assets/") && !kept.some((request) => request.url === url)).length + (kept.length === 0 ? 1 : 0);
        }),
      )
      .toBe(0);
  }

  get complaints(): readonly string[] {
    return this.#complaints.filter((line) => !(this.#serverMayBeAway && awayLines.test(line)));
  }

  /** From now on the browser may say that the server is away. */
  expectServerToBeAway(): void {
    this.#serverMayBeAway = true;
  }

  find(testId: string): Locator {
    return this.page.getByTestId(testId);
  }

  /** The list's entry of a note. */
  entry(id: string): Locator {
    return this.page.locator(`[data-testid=note-item][data-note="${id}"]`);
  }

  async status(kind: "online" | "synced" | "offline" | "connecting"): Promise<void> {
    await expect.poll(() => this.find("status").getAttribute("data-status")).toBe(kind);
  }

  /** Waits until what was written here would survive the end of the page. */
  async saved(): Promise<void> {
    await expect.poll(() => this.find("status").getAttribute("data-storage")).toBe("saved");
  }

  /** Makes a note with the button, names it, and gives back its id. */
  async makeNote(title: string): Promise<string> {
    const before = this.#openId();
    await this.find("new-note").click();
    // The note that was open may still be there for a moment; a title written into that one would be its own.
    await expect.poll(() => this.#openId()).not.toBe(before);
    await expect.poll(() => this.find("title-input").inputValue()).toBe("");
    await this.find("title-input").fill(title);
    await this.status("synced");
    const id = this.#openId();
    if (id === undefined) {
      throw new Error(`The address should name the new note, it is ${this.page.url()}.`);
    }
    return id;
  }

  #openId(): string | undefined {
    return /#\/note\/([\w-]+)$/.exec(this.page.url())?.[1];
  }

  async openNote(id: string): Promise<void> {
    await this.entry(id).click();
    await this.find("editor").waitFor();
    await this.status("synced");
  }

  async type(text: string): Promise<void> {
    await this.find("editor").focus();
    await this.page.keyboard.type(text, { delay: 8 });
  }

  /** Moves within the note, and there only. */
  async move(...keys: readonly string[]): Promise<void> {
    await this.find("editor").focus();
    await this.press(...keys);
  }

  async press(...keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      await this.page.keyboard.press(key);
    }
  }

  /** The blocks of the note as a reader sees them, one per line, without the others' cursors. */
  body(): Promise<string> {
    return this.find("editor").evaluate((editor) => {
      const copy = editor.cloneNode(true) as HTMLElement;
      copy.querySelectorAll(".remote-cursor, .ProseMirror-trailingBreak, .ProseMirror-separator").forEach((widget) => widget.remove());
      return [...copy.children].map((block) => block.textContent).join("\n");
    });
  }

  /** The names on the cursors of others, as far as they can be seen. */
  async cursors(): Promise<string[]> {
    const labels = await this.page.locator(".remote-cursor-name").all();
    const seen = await Promise.all(labels.map(async (label) => ((await label.isVisible()) ? label.textContent() : null)));
    return seen.filter((name) => name !== null).sort();
  }

  async screenshot(name: string): Promise<void> {
    await mkdir(screenshots, { recursive: true });
    await this.page.screenshot({ path: join(screenshots, `${name}.png`), animations: "disabled", caret: "initial" });
  }
}

/** Waits until everybody reads the same text and it is stored; gives it back. */
export async function sameText(...visitors: readonly Visitor[]): Promise<string> {
  await Promise.all(visitors.map((visitor) => visitor.status("synced")));
  await expect
    .poll(() => Promise.all(visitors.map((visitor) => visitor.body())))
    .toSatisfy((texts: string[]) => texts.every((text) => text === texts[0]));
  return (await visitors[0]?.body()) ?? "";
}

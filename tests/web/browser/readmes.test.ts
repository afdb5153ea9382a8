/** The examples that the READMEs of the client and of the hooks open with, as they stand there. */

import { describe, expect, test } from "vitest";

import { onReadme } from "../support/readme.js";

const note = { name: "Note", fields: [{ name: "title", type: "string", optional: true }, { name: "pinned", type: "bool", optional: true }] };
const meant = [
  ['"http://localhost:4400"', "location.origin"],
  ['user: "ada"', "user"],
] as const;

describe("@corella/react", () => {
  const stage = onReadme({
    package: "react",
    examples: ["tsx"],
    before: 'import { createRoot } from "react-dom/client";\n',
    behind: 'createRoot(document.querySelector("#app")!).render(<App />);\n',
    meant,
    body: '<div id="app"></div>',
    entities: [note],
  });

  test("two people write a title, and see each other", async () => {
    const [ada, bob] = await Promise.all([stage.open("ada"), stage.open("bob")]);
    await expect.poll(() => Promise.all([ada, bob].map((page) => page.locator("p").textContent()))).toEqual(["1 others, online, 0 unsent", "1 others, online, 0 unsent"]);
    await ada.locator("input").pressSequentially("Groceries");
    await expect.poll(() => bob.locator("input").inputValue()).toBe("Groceries");
    await bob.locator("input").fill("Bread");
    await expect.poll(() => ada.locator("input").inputValue()).toBe("Bread");
  });
});

describe("@corella/client", () => {
  const stage = onReadme({
    package: "client",
    more: true,
    examples: ["ts"],
    meant: [...meant, ['"http://localhost:4400/dev/token"', '"/dev/token"'], ['{ user: "ada" }', "{ user }"]],
    body: "",
    entities: [note],
  });

  test("a note is made and written", async () => {
    await stage.open("ada");
    const headers = { authorization: `Bearer ${await stage.server.token("bob")}` };
    const titles = async (): Promise<unknown> => ((await (await fetch(`${stage.server.url}/api/entities/Note`, { headers })).json()) as { readonly rows: readonly object[] }).rows;
    await expect.poll(titles).toMatchObject([{ title: "Groceries for Sunday", pinned: true }]);
  });
});

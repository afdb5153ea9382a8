/** Collections in components, against the server: the README's joins and groups, rows that bring others along, and aggregates. */

import type { Page } from "playwright-core";
import { expect, test } from "vitest";

import { onReadme } from "../support/readme.js";

const stage = onReadme({
  package: "tanstack",
  examples: ["tsx"],
  meant: [
    ['"http://localhost:4400"', "location.origin"],
    ['user: "ada"', "user"],
  ],
  before: `
import { createRoot } from "react-dom/client";
type Column = { id: string; name: string };
type Card = { id: string; title: string; column: string };
`,
  behind: `
const boards = createCollection(corellaCollectionOptions<Column & { cards: { id: string; title: string }[] }>({
  client, entity: "Column", query: { include: { cards: { select: ["title"], orderBy: "title" } } },
}));
const titled = createCollection(corellaCollectionOptions<Card & { place: Column | null }>({ client, entity: "Card", query: { include: ["place"] } }));
const totals = createCollection(corellaCollectionOptions<{ id: string; column: string; cards: number }>({
  client, entity: "Card", query: { aggregate: { cards: { $count: true } }, groupBy: ["column"] },
}));

function Boards() {
  const { data } = useLiveQuery((q) => q.from({ board: boards }).orderBy(({ board }) => board.name));
  return <p id="boards">{data.map(({ name, cards }) => \`\${name}: \${cards.map(({ title }) => title).join(" ")}\`).join(", ")}</p>;
}

function Places() {
  const { data } = useLiveQuery((q) => q.from({ card: titled }).orderBy(({ card }) => card.title));
  return <p id="places">{data.map(({ title, place }) => \`\${title} in \${place?.name}\`).join(", ")}</p>;
}

function Totals() {
  const { data } = useLiveQuery((q) =>
    q.from({ total: totals }).join({ column: columns }, ({ total, column }) => eq(total.column, column.id))
      .orderBy(({ column }) => column?.name)
      .select(({ total, column }) => ({ name: column?.name, cards: total.cards })),
  );
  return <p id="totals">{data.map(({ name, cards }) => \`\${name}: \${cards}\`).join(", ")}</p>;
}

createRoot(document.querySelector("#app")!).render(<><Counts /><Boards /><Places /><Totals /></>);
Object.assign(window, { cards, columns });
`,
  body: '<div id="app"></div>',
  entities: [
    { name: "Column", fields: [{ name: "name", type: "string" }], relations: [{ name: "cards", target: "Card", field: "column", many: true }] },
    {
      name: "Card",
      fields: [
        { name: "title", type: "string" },
        { name: "column", type: "id(Column)" },
      ],
      relations: [{ name: "place", target: "Column", field: "column" }],
    },
  ],
});

type Collection = { update(key: string, change: (draft: Record<string, string>) => void): unknown; delete(key: string): unknown; insert(row: object): unknown };
type InPage = { readonly cards: Collection; readonly columns: Collection };

/** All that a page shows. */
const shown = (page: Page): Promise<Record<string, string | null>> =>
  page.evaluate(() => ({
    counts: [...document.querySelectorAll("li")].map(({ textContent }) => textContent).sort().join(", "),
    ...Object.fromEntries(["boards", "places", "totals"].map((id) => [id, document.getElementById(id)?.textContent ?? null])),
  }));

test("joins, groups, included rows and aggregates stay true in components", async () => {
  const token = await stage.server.token("eve");
  const create = (entity: string, row: object): Promise<Response> =>
    fetch(`${stage.server.url}/api/entities/${entity}`, { method: "POST", headers: { "content-type": "application/json", authorization: `Bearer ${token}` }, body: JSON.stringify(row) });
  for (const [entity, row] of [["Column", { id: "open", name: "Open" }], ["Column", { id: "done", name: "Done" }], ["Card", { id: "bread", title: "Bread", column: "done" }]] as const) {
    expect((await create(entity, row)).status).toBe(201);
  }
  // Whoever opens the page adds "Groceries", as the README does.
  const ada = await stage.open("ada");
  const first = { counts: "Done: 1, Open: 1", boards: "Done: Bread, Open: Groceries", places: "Bread in Done, Groceries in Open", totals: "Done: 1, Open: 1" };
  await expect.poll(() => shown(ada)).toEqual(first);
  const bob = await stage.open("bob");
  const two = { counts: "Done: 1, Open: 2", boards: "Done: Bread, Open: Groceries Groceries", places: "Bread in Done, Groceries in Open, Groceries in Open", totals: "Done: 1, Open: 2" };
  await expect.poll(() => Promise.all([ada, bob].map(shown))).toEqual([two, two]);

  await ada.evaluate(() => (window as unknown as InPage).cards.update("bread", (draft) => Object.assign(draft, { title: "Rye", column: "open" })));
  const moved = { counts: "Open: 3", boards: "Done: , Open: Groceries Groceries Rye", places: "Groceries in Open, Groceries in Open, Rye in Open", totals: "Open: 3" };
  await expect.poll(() => Promise.all([ada, bob].map(shown))).toEqual([moved, moved]);

  // What is brought along changes, and the rows that bring it do not.
  await bob.evaluate(() => (window as unknown as InPage).columns.update("open", (draft) => Object.assign(draft, { name: "Shop" })));
  await bob.evaluate(() => (window as unknown as InPage).cards.delete("bread"));
  const renamed = { counts: "Shop: 2", boards: "Done: , Shop: Groceries Groceries", places: "Groceries in Shop, Groceries in Shop", totals: "Shop: 2" };
  await expect.poll(() => Promise.all([ada, bob].map(shown))).toEqual([renamed, renamed]);
});

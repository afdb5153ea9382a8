/** `useLiveQuery` on these collections: joins and grouping in components. */

import { count, createCollection, eq } from "@tanstack/db";
import { useLiveQuery } from "@tanstack/react-db";
import { act, cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";

import { corellaCollectionOptions } from "../src/index.js";
import { QueryServer } from "./support/query-server.js";

afterEach(cleanup);

test("a component shows counts of groups with the names of a joined collection, and they stay true", async () => {
  const server = await QueryServer.start();
  const client = server.client();
  server.change("List", { id: "l1", name: "Open" });
  server.change("List", { id: "l2", name: "Done" });
  for (const [id, list] of [["a", "l1"], ["b", "l1"], ["c", "l2"]] as const) {
    server.change("Card", { id, list });
  }
  const cards = createCollection(corellaCollectionOptions<{ id: string; list: string }>({ client, entity: "Card" }));
  const lists = createCollection(corellaCollectionOptions<{ id: string; name: string }>({ client, entity: "List" }));
  await Promise.all([cards.preload(), lists.preload()]);

  function Counts() {
    const { data } = useLiveQuery((q) =>
      q
        .from({ card: cards })
        .join({ list: lists }, ({ card, list }) => eq(card.list, list.id))
        .groupBy(({ list }) => list?.name)
        .select(({ card, list }) => ({ name: list?.name, cards: count(card.id) })),
    );
    const text = data.map(({ name, cards: number }) => `${String(name)}: ${number}`).sort().join(", ");
    return <p data-testid="counts">{text}</p>;
  }

  render(<Counts />);
  const shown = (): string | null => screen.getByTestId("counts").textContent;
  await vi.waitFor(() => expect(shown()).toBe("Done: 1, Open: 2"));
  await act(async () => {
    await cards.update("a", (draft) => {
      draft.list = "l2";
    }).isPersisted.promise;
  });
  await vi.waitFor(() => expect(shown()).toBe("Done: 2, Open: 1"));
  act(() => server.change("List", { id: "l2", name: "Finished" }));
  await vi.waitFor(() => expect(shown()).toBe("Finished: 2, Open: 1"));
});

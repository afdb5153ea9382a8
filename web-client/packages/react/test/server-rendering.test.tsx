// @vitest-environment node

import { renderToString } from "react-dom/server";
import { expect, test, vi } from "vitest";

import { CorellaProvider, useField, usePresence, useRow, useStatus } from "../src/index.js";
import { clientWith } from "./support/client.js";

test("a page is rendered where there is no window, and opens no rows", async () => {
  expect(typeof window).toBe("undefined");
  const client = await clientWith({ "Note/n1": (doc) => doc.getMap("row").set("title", "Groceries") });
  const opened = vi.spyOn(client, "row");
  function Note() {
    const live = useRow("Note", "n1", { suspense: true });
    const body = useField(live, "body", "text");
    const others = usePresence(live, "here");
    return <p>{`${live === undefined ? "no row" : "a row"} ${body.value.length} ${Object.keys(others).length} ${useStatus().connection}`}</p>;
  }
  const html = renderToString(
    <CorellaProvider client={client}>
      <Note />
    </CorellaProvider>,
  );
  expect(html).toBe("<p>no row 0 0 connecting</p>");
  expect(opened).not.toHaveBeenCalled();
});

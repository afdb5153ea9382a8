import type { CorellaClient } from "@corella/client";
import { act, cleanup, render, screen } from "@testing-library/react";
import { LoroDoc } from "loro-crdt";
import { StrictMode, Suspense, useState, type ReactNode } from "react";
import { afterEach, describe, expect, test, vi } from "vitest";

import { CorellaProvider, useField, usePresence, useRow, useStatus } from "../src/index.js";
import { clientWith } from "./support/client.js";

afterEach(() => cleanup());

const note = { "Note/n1": (doc: LoroDoc) => doc.getMap("row").set("title", "Groceries") };

async function show(client: CorellaClient, content: ReactNode): Promise<void> {
  await act(async () => {
    render(
      <StrictMode>
        <CorellaProvider client={client}>{content}</CorellaProvider>
      </StrictMode>,
    );
  });
}

function Title() {
  const live = useRow("Note", "n1");
  const title = useField(live, "title");
  return (
    <button type="button" onClick={() => title.set(`${String(title.value)}!`)}>
      {live?.phase === "ready" ? String(title.value) : "opening"}
    </button>
  );
}

describe("useRow and useField", () => {
  test("show a row, follow it, and write to it", async () => {
    const client = await clientWith(note);
    await show(client, <Title />);
    expect(screen.getByRole("button").textContent).toBe("Groceries");
    act(() => screen.getByRole("button").click());
    expect(screen.getByRole("button").textContent).toBe("Groceries!");
    const row = client.row("Note", "n1");
    const other = row.doc.fork();
    other.getMap("row").set("title", "From elsewhere");
    other.commit();
    act(() => void row.doc.import(other.export({ mode: "update" })));
    expect(screen.getByRole("button").textContent).toBe("From elsewhere");
  });

  test("give the row back when the last component is gone, and not before", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const client = await clientWith(note);
      const opened = vi.spyOn(client, "row");
      await show(client, [<Title key="1" />, <Title key="2" />]);
      expect(opened).toHaveBeenCalledTimes(1);
      const row = opened.mock.results[0]?.value as ReturnType<CorellaClient["row"]>;
      const closed = vi.spyOn(row, "close");
      vi.advanceTimersByTime(60_000);
      expect(closed).not.toHaveBeenCalled();
      cleanup();
      expect(closed).not.toHaveBeenCalled();
      vi.advanceTimersByTime(60_000);
      expect(closed).toHaveBeenCalledTimes(1);
    } finally {
      vi.useRealTimers();
    }
  });

  test("suspend until there is something to show", async () => {
    const client = await clientWith({});
    function Suspended() {
      const live = useRow("Note", "n1", { suspense: true });
      return <p>{String(useField(live, "title").value)}</p>;
    }
    await show(client, (
      <Suspense fallback={<p>waiting</p>}>
        <Suspended />
      </Suspense>
    ));
    expect(screen.getByText("waiting")).toBeDefined();

    const kept = await clientWith(note);
    cleanup();
    await show(kept, (
      <Suspense fallback={<p>waiting</p>}>
        <Suspended />
      </Suspense>
    ));
    expect(await screen.findByText("Groceries")).toBeDefined();
  });

  test("know texts, counters and lists", async () => {
    const client = await clientWith(note);
    function Fields() {
      const live = useRow("Note", "n1");
      const text = useField(live, "body", "text");
      const counter = useField(live, "views", "counter");
      const list = useField(live, "tags", "list");
      const ordered = useField(live, "steps", "movable-list");
      return (
        <>
          <p data-testid="shown">{JSON.stringify([text.value, counter.value, list.value, ordered.value])}</p>
          <button
            type="button"
            onClick={() => {
              text.set("Hello");
              text.insert(5, "!");
              counter.add(3);
              counter.add(-1);
              list.push("a");
              list.insert(0, "b");
              list.delete(1);
              ["x", "y", "z"].forEach((value) => ordered.push(value));
              ordered.move(2, 0);
              ordered.set(1, "X");
            }}
          />
        </>
      );
    }
    await show(client, <Fields />);
    expect(screen.getByTestId("shown").textContent).toBe('["",0,[],[]]');
    act(() => screen.getByRole("button").click());
    expect(screen.getByTestId("shown").textContent).toBe('["Hello!",2,["b"],["z","X","y"]]');
    // The fields are the mergeable ones that every other client means.
    expect(client.row("Note", "n1").text("body").toString()).toBe("Hello!");
  });

  test("never show two parts of the page two different values", async () => {
    const client = await clientWith(note);
    const torn: string[] = [];
    function Pair() {
      const [one, other] = [useField(useRow("Note", "n1"), "title").value, useField(useRow("Note", "n1"), "title").value];
      if (one !== other) {
        torn.push(`${String(one)} / ${String(other)}`);
      }
      return <p>{String(one)}</p>;
    }
    function Switch() {
      const [id, setId] = useState(0);
      return (
        <>
          <button type="button" onClick={() => setId(id + 1)} />
          <Pair key={id} />
        </>
      );
    }
    await show(client, <Switch />);
    const row = client.row("Note", "n1");
    for (let index = 0; index < 20; index += 1) {
      act(() => {
        row.set("title", `Title ${index}`);
        if (index % 5 === 0) {
          screen.getByRole("button").click();
        }
      });
      expect(screen.getByText(`Title ${index}`)).toBeDefined();
    }
    expect(torn).toEqual([]);
  });
});

describe("usePresence", () => {
  test("says who is here, and takes it back", async () => {
    const client = await clientWith(note);
    function Here() {
      const others = usePresence(useRow("Note", "n1"), { name: "Ada" });
      return <p>{JSON.stringify(Object.values(others))}</p>;
    }
    await show(client, <Here />);
    const row = client.row("Note", "n1");
    expect(row.presence.getAllStates()).toEqual({ [row.presenceId]: { name: "Ada" } });
    act(() => row.presence.set("7", { name: "Grace" }));
    expect(screen.getByText('[{"name":"Grace"}]')).toBeDefined();
    cleanup();
    expect(row.presence.get(row.presenceId)).toBeUndefined();
  });
});

describe("useStatus", () => {
  test("follows connection, storage and unsent work", async () => {
    const client = await clientWith(note);
    function Status() {
      const { connection, unsentRows, unsentMutations } = useStatus();
      return <p data-testid="status">{`${connection} ${unsentRows} ${unsentMutations}`}</p>;
    }
    await show(client, <Status />);
    expect(screen.getByTestId("status").textContent).toBe("connecting 0 0");
    await act(async () => {
      client.row("Note", "n1").set("title", "unsent");
      client.mutate({ entity: "Note", operation: "delete", id: "n2" });
      client.setOffline(true);
      await vi.waitFor(() => expect(client.sync).toMatchObject({ unsentRows: 1, unsentMutations: 1 }));
    });
    expect(screen.getByTestId("status").textContent).toBe("offline 1 1");
  });
});

test("a component without a provider says what is missing", () => {
  const silent = vi.spyOn(console, "error").mockImplementation(() => {});
  expect(() => render(<Title />)).toThrow("Put <CorellaProvider client={…}>");
  silent.mockRestore();
});

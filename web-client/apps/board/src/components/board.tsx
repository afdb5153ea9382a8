/** The board: its columns, who is at it, and the card that is open. */

import { Notice, People, type Person, personOf, TopBar, useNotice } from "@corella/app-kit";
import type { CorellaClient } from "@corella/client";
import { useField, usePresence, useRow, useStatus } from "@corella/react";
import { useEffect, useMemo, useState } from "react";

import { useCards } from "../hooks/use-cards";
import { useCounts } from "../hooks/use-counts";
import { useCarrying } from "../hooks/use-carrying";
import { boardEntity, boardId, cardsIn, columnsOf, newId, seedBoard } from "../model/board";
import { CardDialog } from "./card-dialog";
import { ColumnView } from "./column";

interface BoardProps {
  readonly client: CorellaClient;
  readonly person: Person;
  readonly onSignOut: () => void;
}

export function Board({ client, person, onSignOut }: BoardProps) {
  const live = useRow(boardEntity, boardId, { seed: seedBoard });
  const columnField = useField(live, "columns", "movable-list");
  const orderField = useField(live, "cards", "movable-list");
  const columns = useMemo(() => columnsOf(columnField.value), [columnField.value]);
  const order = useMemo(() => orderField.value.filter((id) => typeof id === "string"), [orderField.value]);
  const { cards, store, failure, isLoading } = useCards(client);
  const counts = useCounts(cards);
  const carrying = useCarrying(live?.row, columns, cards, order, store);
  const [openId, setOpenId] = useState<string>();
  const sync = useStatus();
  const offline = sync.connection === "offline";
  const [notice, announce, dismiss] = useNotice();

  const here = usePresence(live, { name: person.name, card: openId ?? "" });
  const others = useMemo(
    () =>
      // Without a connection nobody can say who is here.
      (offline ? [] : Object.values(here)).flatMap((state) => {
        const { name, card } = (state ?? {}) as Readonly<Record<string, unknown>>;
        return typeof name === "string" && name !== person.name ? [{ person: personOf(name), card }] : [];
      }),
    [here, person.name, offline],
  );
  const people = useMemo(() => [...new Map(others.map((each) => [each.person.name, each.person])).values()], [others]);

  useEffect(
    () =>
      client.onRejected(({ message }) => {
        announce({ text: `A change was refused: ${message}` });
      }),
    [client, announce],
  );

  const open = cards.find(({ id }) => id === openId);
  const problem = failure ?? (live?.status.kind === "refused" ? live.status.message : undefined);
  return (
    <div className="board-page">
      <TopBar name="Board" sync={sync} row={live?.status} offline={offline} person={person} onOffline={(next) => client.setOffline(next)} onSignOut={onSignOut}>
        <People people={people} />
      </TopBar>
      <main className="board" aria-label="Board">
        <p className="visually-hidden" id="carry-help">
          Enter opens the card. Space lifts it, then the arrow keys move it.
        </p>
        <p className="visually-hidden" role="status" data-testid="said">
          {carrying.said}
        </p>
        {problem !== undefined && (
          <p className="board-message" role="alert">
            {problem} This page wants the manifest <code>schema/examples/board.json</code>.
          </p>
        )}
        {problem === undefined && columns.length === 0 && <p className="board-message">{offline ? "The board is not on this device yet." : "Loading"}</p>}
        {columns.map((column, index) => (
          <ColumnView
            key={column.id}
            column={column}
            cards={cardsIn(column.id, cards, order)}
            count={counts(column.id)}
            others={others}
            carrying={carrying}
            isLoading={isLoading}
            onOpen={setOpenId}
            onAdd={(title) => {
              const id = store.add(column.id, title, person.name);
              carrying.move(id, { column: column.id, before: undefined });
            }}
            onRename={(title) => columnField.set(index, { id: column.id, title })}
            beside={{ left: index, right: columns.length - 1 - index }}
            onMove={(step) => {
              if (index + step >= 0 && index + step < columns.length) {
                columnField.move(index, index + step);
              }
            }}
          />
        ))}
        {columns.length > 0 && (
          <button type="button" className="button-plain column-add" data-testid="add-column" onClick={() => columnField.push({ id: newId(), title: "New column" })}>
            Add a column
          </button>
        )}
      </main>
      {open !== undefined && (
        <CardDialog
          key={open.id}
          row={store.row(open.id)}
          card={open}
          columns={columns}
          onMove={(column) => carrying.move(open.id, { column, before: undefined })}
          onDelete={() => {
            setOpenId(undefined);
            store.setDeleted(open.id, true);
            announce({ text: `“${open.title}” was deleted.`, action: { label: "Undo", run: () => store.setDeleted(open.id, false) } });
          }}
          onClose={() => setOpenId(undefined)}
        />
      )}
      <Notice notice={notice} onDismiss={dismiss} />
    </div>
  );
}

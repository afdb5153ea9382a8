/** Everything after the sign-in: the bar, the list, the open note. */

import { Notice, type Person, TopBar, useNotice } from "@corella/app-kit";
import type { CorellaClient } from "@corella/client";
import { useStatus } from "@corella/react";
import { useCallback, useEffect, useMemo } from "react";

import { useNoteActions } from "../hooks/use-note-actions";
import { useNotes } from "../hooks/use-notes";
import { useOpenNoteId } from "../hooks/use-route";
import { type LiveNote, useLiveNote, useRow, useRowStatus } from "../hooks/use-row";
import { compareNotes, type Note, shownTitle } from "../model/note";
import { NoteList } from "./note-list";
import { NotePane } from "./note-pane";

interface WorkspaceProps {
  readonly client: CorellaClient;
  readonly person: Person;
  readonly onSignOut: () => void;
}

export function Workspace({ client, person, onSignOut }: WorkspaceProps) {
  const [notice, announce, dismiss] = useNotice();
  const warn = useCallback((message: string) => announce({ text: `An edit was refused: ${message}` }), [announce]);

  const openId = useOpenNoteId();
  const opened = useRow(client, openId, warn);
  const live = useLiveNote(opened);
  const rowStatus = useRowStatus(opened);
  const sync = useStatus();
  const offline = sync.connection === "offline";

  const list = useNotes(client);
  const notes = useMemo(() => withLiveNote(list.notes, openId, live), [list.notes, openId, live]);
  const actions = useNoteActions(client, announce, person.name);

  const title = live === undefined ? undefined : shownTitle(live.title);
  useEffect(() => {
    document.title = title === undefined ? "Notes" : `${title} – Notes`;
  }, [title]);

  return (
    <div className="workspace" data-view={openId === undefined ? "list" : "note"}>
      <TopBar
        name="Notes"
        back="#/"
        sync={sync}
        row={rowStatus}
        offline={offline}
        person={person}
        onOffline={(next) => client.setOffline(next)}
        onSignOut={onSignOut}
      />
      <main>
        <NoteList
          {...list}
          notes={notes}
          openId={openId}
          offline={offline}
          onCreate={() => void actions.create()}
        />
        <NotePane
          key={openId}
          isChosen={openId !== undefined}
          opened={opened}
          live={live}
          status={rowStatus}
          person={person}
          offline={offline}
          actions={actions}
        />
      </main>
      <Notice notice={notice} onDismiss={dismiss} />
    </div>
  );
}

/** The list follows what the server has; the open note is known better from its document. */
function withLiveNote(
  notes: readonly Note[] | undefined,
  openId: string | undefined,
  live: LiveNote | undefined,
): readonly Note[] | undefined {
  if (notes === undefined || live === undefined || !live.exists) {
    return notes;
  }
  const { title, pinned, color, deleted } = live;
  return notes
    .filter((note) => note.id !== openId || !deleted)
    .map((note) => (note.id === openId ? { ...note, title, pinned, color } : note))
    .sort(compareNotes);
}

/** The open note itself: its fields above, its body below. */

import { Icon, People, type Person } from "@corella/app-kit";
import type { RowHandle } from "@corella/client";

import { useEditor } from "../hooks/use-editor";
import { usePeople } from "../hooks/use-people";
import type { LiveNote } from "../hooks/use-row";
import { ColorChoice } from "./color-choice";
import { TitleInput } from "./title-input";
import { Toolbar } from "./toolbar";

interface NoteSheetProps {
  readonly row: RowHandle;
  readonly generation: number;
  readonly live: LiveNote;
  readonly person: Person;
  readonly offline: boolean;
  readonly onDelete: () => void;
}

/** Without a connection nobody can say who is here. */
const NOBODY: readonly Person[] = [];

export function NoteSheet({ row, generation, live, person, offline, onDelete }: NoteSheetProps) {
  const [place, editor] = useEditor(row, generation, person);
  const people = usePeople(row);
  return (
    <article className={offline ? "sheet sheet-alone" : "sheet"}>
      <div className="sheet-head">
        <ColorChoice color={live.color} onChange={(color) => row.set("color", color)} />
        <span className="sheet-gap" />
        <People people={offline ? NOBODY : people} />
        <button
          type="button"
          className="button-icon"
          aria-label="Pin"
          aria-pressed={live.pinned}
          title={live.pinned ? "Unpin" : "Pin to the top"}
          data-testid="pin-toggle"
          onClick={() => row.set("pinned", !live.pinned)}
        >
          <Icon name="pin" />
        </button>
        <button
          type="button"
          className="button-icon"
          aria-label="Delete"
          title={offline ? "Deleting needs the server" : "Delete"}
          disabled={offline}
          data-testid="delete-note"
          onClick={onDelete}
        >
          <Icon name="bin" />
        </button>
      </div>
      <TitleInput
        title={live.title}
        onChange={(title) => row.set("title", title)}
        onLeave={() => editor?.view.focus()}
      />
      <Toolbar editor={editor} />
      <div className="sheet-body" ref={place} />
    </article>
  );
}

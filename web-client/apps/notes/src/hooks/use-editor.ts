/** The editor's life in a component: opened in an element, opened again for another document, closed. */

import type { Person } from "@corella/app-kit";
import type { RowHandle } from "@corella/client";
import type { EditorState } from "prosemirror-state";
import type { EditorView } from "prosemirror-view";
import { type RefObject, useEffect, useRef, useState } from "react";

import { openEditor } from "../editor/view";

export interface LiveEditor {
  readonly view: EditorView;
  readonly state: EditorState;
}

export function useEditor(
  row: RowHandle,
  generation: number,
  person: Person,
): [RefObject<HTMLDivElement | null>, LiveEditor | undefined] {
  const place = useRef<HTMLDivElement>(null);
  const [live, setLive] = useState<LiveEditor>();
  useEffect(() => {
    if (place.current === null) {
      return;
    }
    const editor = openEditor(place.current, row, person, (state) => {
      setLive((last) => last && { ...last, state });
    });
    setLive({ view: editor.view, state: editor.view.state });
    return () => {
      setLive(undefined);
      editor.close();
    };
  }, [row, generation, person]);
  return [place, live];
}

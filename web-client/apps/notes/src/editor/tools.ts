/** What the toolbar offers: each tool's name, its command, and whether it is in force at the selection. */

import { canRedo, canUndo, redo, undo } from "@corella/editors/prosemirror";
import { lift, setBlockType, toggleMark, wrapIn } from "prosemirror-commands";
import type { MarkType, NodeType } from "prosemirror-model";
import { liftListItem, wrapInList } from "prosemirror-schema-list";
import type { Command, EditorState } from "prosemirror-state";

import { noteSchema } from "./schema";

export interface Tool {
  readonly id: "bold" | "italic" | "code" | "heading" | "subheading" | "bullets" | "numbers" | "quote" | "undo" | "redo";
  readonly name: string;
  readonly command: Command;
  /** Absent where a tool is not something that is on or off. */
  readonly isOn?: (state: EditorState) => boolean;
  /** Absent where the command itself tells whether it applies. */
  readonly isUsable?: (state: EditorState) => boolean;
}

const { nodes, marks } = noteSchema;

export const toolGroups: readonly (readonly Tool[])[] = [
  [
    markTool("bold", "Bold", marks.strong),
    markTool("italic", "Italic", marks.em),
    markTool("code", "Code", marks.code),
  ],
  [headingTool("heading", "Heading", 1), headingTool("subheading", "Subheading", 2)],
  [
    listTool("bullets", "Bulleted list", nodes.bullet_list),
    listTool("numbers", "Numbered list", nodes.ordered_list),
    toggleTool("quote", "Quote", (state) => isInside(state, nodes.blockquote), lift, wrapIn(nodes.blockquote)),
  ],
  [
    { id: "undo", name: "Undo", command: undo, isUsable: canUndo },
    { id: "redo", name: "Redo", command: redo, isUsable: canRedo },
  ],
];

function markTool(id: Tool["id"], name: string, mark: MarkType): Tool {
  return {
    id,
    name,
    command: toggleMark(mark),
    isOn: ({ selection, storedMarks, doc }) =>
      selection.empty
        ? mark.isInSet(storedMarks ?? selection.$from.marks()) !== undefined
        : doc.rangeHasMark(selection.from, selection.to, mark),
  };
}

function headingTool(id: Tool["id"], name: string, level: number): Tool {
  return toggleTool(
    id,
    name,
    ({ selection }) => selection.$from.parent.hasMarkup(nodes.heading, { level }),
    setBlockType(nodes.paragraph),
    setBlockType(nodes.heading, { level }),
  );
}

function listTool(id: Tool["id"], name: string, list: NodeType): Tool {
  return toggleTool(id, name, (state) => isInside(state, list), liftListItem(nodes.list_item), wrapInList(list));
}

function toggleTool(
  id: Tool["id"],
  name: string,
  isOn: (state: EditorState) => boolean,
  turnOff: Command,
  turnOn: Command,
): Tool {
  return { id, name, isOn, command: (state, ...rest) => (isOn(state) ? turnOff : turnOn)(state, ...rest) };
}

function isInside({ selection }: EditorState, type: NodeType): boolean {
  for (let depth = selection.$from.depth; depth > 0; depth -= 1) {
    if (selection.$from.node(depth).type === type) {
      return true;
    }
  }
  return false;
}

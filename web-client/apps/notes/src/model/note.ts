/** A note as the list shows it, read from what the server or the open document holds. */

import type { LocalRow, OrderBy, Row, RowHandle } from "@corella/client";

import { plainTextOf } from "./plain-text";

export const noteEntity = "Note";

export const noteColors = ["none", "red", "yellow", "green", "blue"] as const;

export type NoteColor = (typeof noteColors)[number];

export interface NoteFields {
  readonly title: string;
  readonly pinned: boolean;
  readonly color: NoteColor;
}

export interface Note extends NoteFields {
  readonly id: string;
  readonly created: string;
  /** The body's plain text. */
  readonly text: string;
}

/** Pinned notes first, the newest first among equals. */
export const noteOrder: readonly OrderBy[] = [{ pinned: "desc" }, { created: "desc" }];

export function compareNotes(left: Note, right: Note): number {
  if (left.pinned !== right.pinned) {
    return left.pinned ? -1 : 1;
  }
  return left.created === right.created ? 0 : left.created < right.created ? 1 : -1;
}

/** A field that is absent or of another type reads as its default: a demo must open whatever is stored. */
export function noteOf(row: Row): Note {
  return {
    id: row.id,
    title: textOr(row["title"]),
    pinned: row["pinned"] === true,
    color: colorOr(row["color"]),
    created: textOr(row["created"]),
    text: textOr(row["body"]),
  };
}

/** A note as this device has it. */
export function localNoteOf({ id, fields }: LocalRow): Note {
  return {
    id,
    title: textOr(fields["title"]),
    pinned: fields["pinned"] === true,
    color: colorOr(fields["color"]),
    created: textOr(fields["created"]),
    text: plainTextOf(fields["body"]),
  };
}

export function noteFieldsOf(row: RowHandle): NoteFields {
  return {
    title: textOr(row.get("title")),
    pinned: row.get("pinned") === true,
    color: colorOr(row.get("color")),
  };
}

export function isDeleted(row: RowHandle): boolean {
  return row.doc.getMap("meta").get("deleted") === true;
}

/** What people read where a note has no title yet. */
export function shownTitle(title: string): string {
  return title.trim() === "" ? "Untitled" : title;
}

function textOr(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function colorOr(value: unknown): NoteColor {
  return noteColors.find((color) => color === value) ?? "none";
}

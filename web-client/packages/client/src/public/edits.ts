/** What becomes of collaborative fields: a whole value, or operations of the field's kind (`docs/fields.md`). */

import type { JsonValue } from "./types.js";

/** One operation, or several in their order. */
export type Steps<Step> = Step | { readonly $ops: readonly Step[] };

/** A whole number beyond 2^53 is written as a text. */
export type CounterEdit = number | string | Steps<{ readonly $inc: number | string }>;

/** Places are counted from 0; `$move` names the place that the item has afterwards. */
export type ListStep =
  | { readonly $push: JsonValue }
  | { readonly $insert: readonly [place: number, value: JsonValue] }
  | { readonly $set: readonly [place: number, value: JsonValue] }
  | { readonly $move: readonly [from: number, to: number] }
  | { readonly $remove: number };
/** What becomes of a `list` field. */
export type ListEdit = readonly JsonValue[] | Steps<ListStep>;
/** What becomes of a `movable-list` field. */
export type MovableListEdit = ListEdit;

/** One operation on a `map` field. */
export type MapStep =
  | { readonly $set: readonly [key: string, value: JsonValue] }
  | { readonly $merge: { readonly [key: string]: JsonValue } }
  | { readonly $remove: string };
/** A key that starts with `$` would be an operation: such a value is written `{ $value: … }`. */
export type MapEdit = Steps<MapStep> | Whole | ({ readonly [key: string]: JsonValue } & { readonly [operation in OperationName]?: never });

/** A node of a tree; a new one has no id. */
export interface TreeNode {
  readonly id: string;
  readonly data: { readonly [key: string]: JsonValue };
  readonly children: readonly TreeNode[];
}
/** A node that is to come to a tree, with those below it. */
export interface NewTreeNode {
  readonly id?: string;
  readonly data?: { readonly [key: string]: JsonValue };
  readonly children?: readonly NewTreeNode[];
}
/** One operation on a `tree` field; nodes are named by their ids. */
export type TreeStep =
  | { readonly $create: NewTreeNode & { readonly parent?: string | null; readonly index?: number | null } }
  | { readonly $move: { readonly id: string; readonly parent?: string | null; readonly index?: number | null } }
  | { readonly $set: { readonly id: string; readonly data: { readonly [key: string]: JsonValue } } }
  | { readonly $merge: { readonly id: string; readonly data: { readonly [key: string]: JsonValue } } }
  | { readonly $delete: string };
/** What becomes of a `tree` field. */
export type TreeEdit = readonly NewTreeNode[] | Steps<TreeStep>;

/** A piece of a delta as Quill writes it, counted in UTF-16 code units. */
export type DeltaStep =
  | { readonly insert: string; readonly attributes?: { readonly [mark: string]: JsonValue } }
  | { readonly retain: number; readonly attributes?: { readonly [mark: string]: JsonValue } }
  | { readonly delete: number };
/** What becomes of a `text` field. */
export type TextEdit = string | Steps<{ readonly $delta: readonly DeltaStep[] }>;
/** A list of inserts replaces the text with its marks. */
export type RichtextEdit = TextEdit | readonly Extract<DeltaStep, { readonly insert: string }>[];

/** An editor's node tree, or its lines. */
export type DocumentEdit = string | { readonly type: string; readonly attrs?: JsonValue; readonly content?: readonly JsonValue[] };

/** A value that looks like an operation is written so. */
export interface Whole {
  readonly $value: JsonValue;
}
/** What becomes of a `json` field that the last writer wins. */
export type JsonEdit = JsonValue | Whole;

type OperationName = "$ops" | "$set" | "$merge" | "$remove" | "$value";

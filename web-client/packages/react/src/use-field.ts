/** One field of a row, and what a component may do to it. */

import type { LoroList, LoroMovableList, LoroText, Value } from "loro-crdt";
import { useCallback, useMemo, useSyncExternalStore } from "react";

import type { RowView } from "./row-view.js";
import { type LiveRow, viewBehind } from "./use-row.js";

/** A plain field: the last write wins. */
export interface PlainField {
  readonly value: Value | undefined;
  /** Writes the value. */
  set(value: Value): void;
}

/** A text that several people write. */
export interface TextField {
  readonly value: string;
  /** Turns the text into another by the smallest edit. For inputs use `bindTextInput` of `@corella/editors`, which keeps the caret. */
  set(value: string): void;
  /** Puts text in at a place, counted in UTF-16 units as pages count. */
  insert(at: number, text: string): void;
  /** Takes so many characters away. */
  delete(at: number, length: number): void;
  /** For an editor's binding. Makes the field where it is missing. */
  container(): LoroText;
}

/** A number that several people add to. */
export interface CounterField {
  readonly value: number;
  /** Adds, also what is below zero. What others add at the same time is added too. */
  add(amount: number): void;
}

/** A list of values. */
export interface ListField {
  readonly value: readonly Value[];
  /** Puts a value at the end. */
  push(value: Value): void;
  /** Puts a value in at a place. */
  insert(at: number, value: Value): void;
  /** Takes values away: one, unless you say otherwise. */
  delete(at: number, length?: number): void;
  /** For an editor's binding. Makes the field where it is missing. */
  container(): LoroList;
}

/** A list whose values can be moved. */
export interface MovableListField extends Omit<ListField, "container"> {
  /** Moves a value, which stays the same one for everybody who edits or moves it. */
  move(from: number, to: number): void;
  /** Puts another value in the place of one. */
  set(at: number, value: Value): void;
  /** For an editor's binding. Makes the field where it is missing. */
  container(): LoroMovableList;
}

/** What the manifest makes of a field. */
export type FieldKind = "plain" | "text" | "counter" | "list" | "movable-list";

type FieldOf<Kind extends FieldKind> = { readonly plain: PlainField; readonly text: TextField; readonly counter: CounterField; readonly list: ListField; readonly "movable-list": MovableListField }[Kind];

/** A text's diff against a wholly different one is cut short after so long. */
const DIFF_MILLISECONDS = 100;

const NO_VALUES: readonly Value[] = [];

/**
 * Follows a field. `kind` says what the manifest makes of it; without one it is a plain value.
 *
 * Without a row, as on a server, the field is empty, and writing to it throws.
 */
export function useField(live: LiveRow | undefined, field: string): PlainField;
export function useField<Kind extends FieldKind>(live: LiveRow | undefined, field: string, kind: Kind): FieldOf<Kind>;
export function useField(live: LiveRow | undefined, field: string, kind: FieldKind = "plain"): PlainField | TextField | CounterField | ListField | MovableListField {
  const view = viewBehind(live);
  const value = useSyncExternalStore(
    useCallback((listener: () => void) => view?.subscribe(listener) ?? (() => {}), [view]),
    // What is stored of a counter are the totals of all who count; the row adds them up.
    () => (kind === "counter" ? view?.row.count(field) : view?.value(field)),
    () => undefined,
  );
  const actions = useMemo(() => actionsOf(view, field), [view, field]);
  return useMemo(() => {
    switch (kind) {
      case "plain":
        return { value, ...actions.plain };
      case "text":
        return { value: typeof value === "string" ? value : "", ...actions.text };
      case "counter":
        return { value: typeof value === "number" ? value : 0, ...actions.counter };
      case "list":
        return { value: listOf(value), ...actions.list };
      case "movable-list":
        return { value: listOf(value), ...actions["movable-list"] };
    }
  }, [kind, value, actions]);
}

function listOf(value: Value | undefined): readonly Value[] {
  return Array.isArray(value) ? (value as readonly Value[]) : NO_VALUES;
}

function actionsOf(view: RowView | undefined, field: string) {
  const row = () => {
    if (view === undefined) {
      throw new Error(`The field ${field} has no row yet. Write to it in effects and event handlers, once useRow has given a row.`);
    }
    return view.row;
  };
  const commit = () => row().doc.commit();
  return {
    plain: { set: (value: Value) => row().set(field, value) },
    text: {
      set: (value: string) => {
        row().text(field).update(value, { timeoutMs: DIFF_MILLISECONDS });
        commit();
      },
      insert: (at: number, text: string) => {
        row().text(field).insert(at, text);
        commit();
      },
      delete: (at: number, length: number) => {
        row().text(field).delete(at, length);
        commit();
      },
      container: () => row().text(field),
    },
    counter: { add: (amount: number) => row().increment(field, amount) },
    list: {
      push: (value: Value) => {
        row().list(field).push(value);
        commit();
      },
      insert: (at: number, value: Value) => {
        row().list(field).insert(at, value);
        commit();
      },
      delete: (at: number, length = 1) => {
        row().list(field).delete(at, length);
        commit();
      },
      container: () => row().list(field),
    },
    "movable-list": {
      push: (value: Value) => {
        row().movableList(field).push(value);
        commit();
      },
      insert: (at: number, value: Value) => {
        row().movableList(field).insert(at, value);
        commit();
      },
      delete: (at: number, length = 1) => {
        row().movableList(field).delete(at, length);
        commit();
      },
      move: (from: number, to: number) => {
        row().movableList(field).move(from, to);
        commit();
      },
      set: (at: number, value: Value) => {
        row().movableList(field).set(at, value);
        commit();
      },
      container: () => row().movableList(field),
    },
  };
}

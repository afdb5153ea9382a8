/** Rows with the types that `corella codegen ts` makes of a manifest. */

import type { LoroList, LoroMap, LoroMovableList, LoroText, LoroTree, Value } from "loro-crdt";

import type { CorellaClient } from "../client.js";
import type {
  CreateOptions,
  Fields,
  ListQuery,
  QueuedMutation,
  RowChange,
  RowHandle,
  Unsubscribe,
  WriteOptions,
} from "./types.js";

/** What is known of one entity. */
export interface EntityTypes {
  readonly row: object;
  readonly insert: object;
  readonly patch: object;
  readonly where: object;
  readonly orderBy: string;
  /** `string` where rows can be searched for words. */
  readonly match?: string;
  /** Plain fields with their values; those of other kinds by their names. */
  readonly plain: object;
  readonly text: string;
  readonly map: string;
  readonly list: string;
  readonly movableList: string;
  readonly tree: string;
  readonly counter: string;
}

/** A manifest's schema, as `corella codegen ts` writes it. */
export interface Schema<Entities extends { readonly [Name in keyof Entities]: EntityTypes }> {
  /** By it the server tells whether the app still goes with what it serves. */
  readonly fingerprint: string;
  /** The keys of renamed fields in documents, which keep the first name that a field had. */
  readonly keys: { readonly [Name in keyof Entities]?: { readonly [field: string]: string } };
  /** Never there: the types alone. */
  readonly entities?: Entities;
}

/** How a column may be asked about. */
export type Test<T> = unknown extends T
  ? { readonly $exists?: boolean; readonly $contains?: string | number | boolean } | null
  :
      | T
      | null
      | {
          readonly $eq?: T | null;
          readonly $ne?: T | null;
          readonly $gt?: T;
          readonly $gte?: T;
          readonly $lt?: T;
          readonly $lte?: T;
          readonly $in?: readonly (T | null)[];
          readonly $nin?: readonly (T | null)[];
          readonly $like?: string;
          readonly $ilike?: string;
          readonly $contains?: string;
          readonly $exists?: boolean;
        };

/** A condition on rows with these columns. */
export type Filter<Columns> = { readonly [Name in keyof Columns]?: Test<Columns[Name]> } & {
  readonly $and?: readonly Filter<Columns>[];
  readonly $or?: readonly Filter<Columns>[];
  readonly $not?: Filter<Columns>;
};

/** Which rows of an entity, with its columns. */
export interface TypedQuery<E extends EntityTypes> extends Omit<ListQuery, "where" | "match" | "orderBy"> {
  readonly where?: E["where"];
  readonly match?: E["match"];
  readonly orderBy?: OrderOf<E> | readonly OrderOf<E>[];
}
type OrderOf<E extends EntityTypes> = { readonly [Name in E["orderBy"]]?: "asc" | "desc" };

/** Rows that match, as `ListResult` has them. */
export interface TypedList<E extends EntityTypes> {
  readonly rows: readonly E["row"][];
  readonly cursor?: string;
  readonly seq: number;
}

/** A row after a change, as `WriteResult` has it. */
export interface TypedResult<E extends EntityTypes> {
  readonly id: string;
  readonly row: E["row"];
  readonly seq: number;
}

/** A {@link RowHandle} that knows its fields. */
export interface TypedRow<E extends EntityTypes>
  extends Omit<RowHandle, "text" | "map" | "list" | "movableList" | "tree" | "count" | "increment" | "get" | "set" | "onChange"> {
  /** As {@link RowHandle.text}. */
  text(field: E["text"]): LoroText;
  /** As {@link RowHandle.map}. */
  map(field: E["map"]): LoroMap;
  /** As {@link RowHandle.list}. */
  list(field: E["list"]): LoroList;
  /** As {@link RowHandle.movableList}. */
  movableList(field: E["movableList"]): LoroMovableList;
  /** As {@link RowHandle.tree}. */
  tree(field: E["tree"]): LoroTree;
  /** As {@link RowHandle.count}. */
  count(field: E["counter"]): number;
  /** As {@link RowHandle.increment}. */
  increment(field: E["counter"], by?: number): void;
  /** As {@link RowHandle.get}, with the type of the field. */
  get<Name extends keyof E["plain"]>(field: Name): E["plain"][Name] | undefined;
  /** What a collaborative field shows as plain data. */
  get(field: Exclude<keyof E["row"], keyof E["plain"]> & string): Value | undefined;
  /** As {@link RowHandle.set}. */
  set<Name extends keyof E["plain"]>(field: Name, value: E["plain"][Name]): void;
  /** The changed fields have the names that the schema gives them. */
  onChange(listener: (change: RowChange) => void): Unsubscribe;
}

/** One change of one row. */
export type TypedMutation<Entities extends { readonly [Name in keyof Entities]: EntityTypes }> = {
  readonly [Name in keyof Entities & string]:
    | { readonly entity: Name; readonly operation: "insert"; readonly id?: string; readonly fields: Entities[Name]["insert"] }
    | { readonly entity: Name; readonly operation: "patch"; readonly id: string; readonly fields: Entities[Name]["patch"] }
    | { readonly entity: Name; readonly operation: "delete" | "restore"; readonly id: string };
}[keyof Entities & string];

/** The part of a client that is about rows, with the schema's types. */
export interface TypedClient<Entities extends { readonly [Name in keyof Entities]: EntityTypes }> {
  /** Opens a row, as {@link CorellaClient.row}. */
  row<Name extends keyof Entities & string>(entity: Name, id: string): TypedRow<Entities[Name]>;
  /** Rows that match, as {@link CorellaClient.list}. */
  list<Name extends keyof Entities & string>(entity: Name, query?: TypedQuery<Entities[Name]>): Promise<TypedList<Entities[Name]>>;
  /** One row as JSON, as {@link CorellaClient.get}. */
  get<Name extends keyof Entities & string>(entity: Name, id: string): Promise<TypedResult<Entities[Name]>>;
  /** Makes a row, as {@link CorellaClient.create}. */
  create<Name extends keyof Entities & string>(
    entity: Name,
    fields: Entities[Name]["insert"],
    options?: CreateOptions,
  ): Promise<TypedResult<Entities[Name]>>;
  /** Changes the named fields, as {@link CorellaClient.patch}. */
  patch<Name extends keyof Entities & string>(
    entity: Name,
    id: string,
    fields: Entities[Name]["patch"],
    options?: WriteOptions,
  ): Promise<TypedResult<Entities[Name]>>;
  /** Takes a row out of its table, as {@link CorellaClient.delete}. */
  delete(entity: keyof Entities & string, id: string, options?: WriteOptions): Promise<void>;
  /** Brings a deleted row back, as {@link CorellaClient.restore}. */
  restore<Name extends keyof Entities & string>(entity: Name, id: string, options?: WriteOptions): Promise<TypedResult<Entities[Name]>>;
  /** Queues a change, as {@link CorellaClient.mutate}. */
  mutate(mutation: TypedMutation<Entities>): QueuedMutation;
}

/** The methods of a row whose first argument is a field. */
const OF_FIELDS: ReadonlySet<string | symbol> = new Set([
  "text",
  "map",
  "list",
  "movableList",
  "tree",
  "count",
  "increment",
  "get",
  "set",
]);

/**
 * A client's rows with the types of a schema.
 *
 * ```ts
 * import { typed } from "@corella/client/typed";
 *
 * const client = new CorellaClient({ url, schema });
 * const rows = typed(client, schema);
 * rows.row("Task", "t1").set("state", "done");
 * ```
 */
export function typed<Entities extends { readonly [Name in keyof Entities]: EntityTypes }>(
  client: CorellaClient,
  schema: Schema<Entities>,
): TypedClient<Entities> {
  const keysOf = (entity: keyof Entities): { readonly [field: string]: string } => schema.keys[entity] ?? {};
  // The server checks what the compiler has checked.
  const rows: TypedClient<Entities> = {
    row: (entity, id) => named(client.row(entity, id), keysOf(entity)) as never,
    list: (entity, query = {}) => client.list(entity, query as ListQuery) as never,
    get: (entity, id) => client.get(entity, id) as never,
    create: (entity, fields, options) => client.create(entity, fields as Fields, options) as never,
    patch: (entity, id, fields, options) => client.patch(entity, id, fields as Fields, options) as never,
    delete: (entity, id, options) => client.delete(entity, id, options),
    restore: (entity, id, options) => client.restore(entity, id, options) as never,
    mutate: (mutation) => client.mutate(mutation as never),
  };
  return rows;
}

/** The handle, whose fields are called by their names where documents have other keys. */
function named(handle: RowHandle, keys: { readonly [field: string]: string }): RowHandle {
  if (Object.keys(keys).length === 0) {
    return handle;
  }
  const names = new Map(Object.entries(keys).map(([name, key]) => [key, name]));
  return new Proxy(handle, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property, target);
      if (typeof member !== "function") {
        return member;
      }
      if (property === "onChange") {
        return (listener: (change: RowChange) => void): Unsubscribe =>
          target.onChange((change) => listener({ ...change, fields: change.fields.map((key) => names.get(key) ?? key) }));
      }
      if (OF_FIELDS.has(property)) {
        return (field: string, ...others: unknown[]): unknown => Reflect.apply(member, target, [keys[field] ?? field, ...others]);
      }
      return member.bind(target) as unknown;
    },
  });
}

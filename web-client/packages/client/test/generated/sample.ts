// Rows of sample 1.2.0, made by `corella codegen ts`: changes here are lost.

import type {
  CounterEdit,
  DocumentEdit,
  Filter,
  JsonEdit,
  JsonValue,
  ListEdit,
  MapEdit,
  MovableListEdit,
  RichtextEdit,
  Schema,
  TextEdit,
  TreeEdit,
  TreeNode,
} from "@corella/client";

/** A row of `Task` as it is read. */
export interface Task {
  readonly id: string;
  readonly heading: string;
  readonly state: "open" | "in progress" | "done";
  readonly type: string | null;
  readonly owner: string | null;
  readonly dueAt: string | null;
  readonly effort: number | string;
  readonly weight: number | null;
  readonly pinned: boolean;
  readonly blob: string | null;
  readonly data: JsonValue | null;
  readonly votes: number | string;
  readonly score: number;
  readonly tags: readonly JsonValue[];
  readonly steps: readonly JsonValue[];
  readonly settings: { readonly [key: string]: JsonValue };
  readonly outline: readonly TreeNode[];
  readonly summary: string;
  readonly body: string | null;
  readonly page: string;
}

/** What a new row of `Task` takes. */
export interface NewTask {
  readonly heading: string;
  readonly state?: "open" | "in progress" | "done";
  readonly type?: string | null;
  readonly owner?: string | null;
  readonly dueAt?: string | null;
  readonly effort: number | string;
  readonly weight?: number | null;
  readonly pinned?: boolean;
  readonly blob?: string | null;
  readonly data?: JsonEdit | null;
  readonly votes?: CounterEdit;
  readonly score?: CounterEdit;
  readonly tags?: ListEdit;
  readonly steps?: MovableListEdit;
  readonly settings?: MapEdit;
  readonly outline?: TreeEdit;
  readonly summary?: TextEdit;
  readonly body?: RichtextEdit | null;
  readonly page?: DocumentEdit;
}

/** What a change of a row of `Task` takes. */
export interface TaskPatch {
  readonly heading?: string;
  readonly state?: "open" | "in progress" | "done";
  readonly type?: string | null;
  readonly owner?: string | null;
  readonly dueAt?: string | null;
  readonly effort?: number | string;
  readonly weight?: number | null;
  readonly pinned?: boolean;
  readonly blob?: string | null;
  readonly data?: JsonEdit | null;
  readonly votes?: CounterEdit;
  readonly score?: CounterEdit;
  readonly tags?: ListEdit;
  readonly steps?: MovableListEdit;
  readonly settings?: MapEdit;
  readonly outline?: TreeEdit;
  readonly summary?: TextEdit;
  readonly body?: RichtextEdit | null;
  readonly page?: DocumentEdit;
}

/** The columns of `Task` that queries ask about; `unknown` where they ask only whether there is a value. */
export interface TaskColumns {
  readonly id: string;
  readonly heading: string;
  readonly state: "open" | "in progress" | "done";
  readonly type: string;
  readonly owner: string;
  readonly dueAt: string;
  readonly effort: number | string;
  readonly weight: number;
  readonly pinned: boolean;
  readonly blob: unknown;
  readonly data: unknown;
  readonly votes: number | string;
  readonly score: number;
  readonly tags: unknown;
  readonly steps: unknown;
  readonly settings: unknown;
  readonly outline: unknown;
  readonly summary: string;
  readonly body: string;
  readonly page: unknown;
}


/** A row of `User` as it is read. */
export interface User {
  readonly id: string;
  readonly name: string;
}

/** What a new row of `User` takes. */
export interface NewUser {
  readonly name: string;
}

/** What a change of a row of `User` takes. */
export interface UserPatch {
  readonly name?: string;
}

/** The columns of `User` that queries ask about; `unknown` where they ask only whether there is a value. */
export interface UserColumns {
  readonly id: string;
  readonly name: string;
}


/** A row of `Board` as it is read. */
export interface Board {
  readonly id: string;
  readonly title: string | null;
  readonly value: JsonValue;
}

/** What a new row of `Board` takes. */
export interface NewBoard {
  readonly title?: string | null;
}

/** What a change of a row of `Board` takes. */
export interface BoardPatch {
  readonly title?: string | null;
}

/** The columns of `Board` that queries ask about; `unknown` where they ask only whether there is a value. */
export interface BoardColumns {
  readonly id: string;
  readonly title: string;
}

/** Every entity, by its name. */
export interface Entities {
  readonly Task: {
    readonly row: Task;
    readonly insert: NewTask;
    readonly patch: TaskPatch;
    readonly where: Filter<TaskColumns>;
    readonly orderBy: "id" | "heading" | "state" | "type" | "owner" | "dueAt" | "effort" | "weight" | "pinned" | "votes" | "score" | "summary" | "body";
    readonly match: string;
    readonly plain: { readonly heading: string; readonly state: "open" | "in progress" | "done"; readonly type: string | null; readonly owner: string | null; readonly dueAt: string | null; readonly effort: number | string; readonly weight: number | null; readonly pinned: boolean; readonly blob: Uint8Array | null; readonly data: JsonValue | null };
    readonly text: "summary" | "body";
    readonly map: "settings" | "page";
    readonly list: "tags";
    readonly movableList: "steps";
    readonly tree: "outline";
    readonly counter: "votes" | "score";
  };
  readonly User: {
    readonly row: User;
    readonly insert: NewUser;
    readonly patch: UserPatch;
    readonly where: Filter<UserColumns>;
    readonly orderBy: "id" | "name";
    readonly match: never;
    readonly plain: { readonly name: string };
    readonly text: never;
    readonly map: never;
    readonly list: never;
    readonly movableList: never;
    readonly tree: never;
    readonly counter: never;
  };
  readonly Board: {
    readonly row: Board;
    readonly insert: NewBoard;
    readonly patch: BoardPatch;
    readonly where: Filter<BoardColumns>;
    readonly orderBy: "id" | "title";
    readonly match: never;
    readonly plain: { readonly title: string | null };
    readonly text: never;
    readonly map: never;
    readonly list: never;
    readonly movableList: never;
    readonly tree: never;
    readonly counter: never;
  };
}

/** What the client is told of the schema: hand it to `new CorellaClient`, and to `typed` of `@corella/client/typed`. */
export const schema: Schema<Entities> = {
  fingerprint: "5abbe5f017bfde51",
  keys: {
    Task: { heading: "title" },
  },
};

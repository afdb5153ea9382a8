/** The mutations of this tab: handed over, kept, and settled when their answer comes. */

import { CorellaError } from "../public/error.js";
import type { Mutation, MutationOutcome, MutationResult, QueuedMutation } from "../public/types.js";
import type { Keeper } from "../storage/keeper.js";
import type { StoredMutation } from "../storage/port.js";
import { uuid7 } from "../util/uuid.js";
import { textOfMutation } from "./text.js";

/** A text frame of the protocol may have 262,144 bytes; the rest is for what surrounds the fields. */
const MOST_BYTES = 260_000;

const utf8 = new TextEncoder();

interface Promised {
  readonly resolve: (result: MutationResult) => void;
  readonly reject: (error: CorellaError) => void;
}

export interface MutationQueueOwner {
  /** A mutation is in the store or, where the store takes none, only here. */
  queued(mutation: StoredMutation, where: "stored" | "memory"): void;
}

export class MutationQueue {
  readonly #keeper: Keeper;
  readonly #owner: MutationQueueOwner;
  readonly #promises = new Map<string, Promised>();

  constructor(keeper: Keeper, owner: MutationQueueOwner) {
    this.#keeper = keeper;
    this.#owner = owner;
  }

  add(mutation: Mutation): QueuedMutation {
    const stored = toStored(mutation);
    const { key, id } = stored;
    const result = new Promise<MutationResult>((resolve, reject) => this.#promises.set(key, { resolve, reject }));
    // Not everybody waits for it; who does still hears.
    result.catch(() => {});
    const saved = this.#keeper.write({ type: "enqueue", mutation: stored });
    void saved.then(() => this.#owner.queued(stored, "stored"));
    if (this.#keeper.status.kind === "failing") {
      this.#owner.queued(stored, "memory");
    }
    return { key, id, saved, result };
  }

  settled(outcome: MutationOutcome): void {
    const promised = this.#promises.get(outcome.key);
    this.#promises.delete(outcome.key);
    if (outcome.kind === "done") {
      promised?.resolve(outcome.result);
    } else {
      promised?.reject(new CorellaError(outcome.code, outcome.message));
    }
  }

  /** The page ends: what waits is sent by the next one, and told there by events. */
  close(): void {
    const closed = new CorellaError("client_closed", "The client was closed before the server answered. If the mutation was saved, the next client sends it and tells its end by onSettled.");
    for (const { reject } of this.#promises.values()) {
      reject(closed);
    }
    this.#promises.clear();
  }
}

function toStored(mutation: Mutation): StoredMutation {
  const fields = "fields" in mutation ? mutation.fields : undefined;
  const stored: StoredMutation = {
    key: uuid7(),
    entity: mutation.entity,
    id: mutation.id ?? uuid7(),
    operation: mutation.operation,
    // What JSON cannot carry is found here, and not in the middle of a queue.
    fields: fields === undefined ? undefined : (JSON.parse(JSON.stringify(fields)) as typeof fields),
  };
  const bytes = utf8.encode(textOfMutation(stored)).length;
  if (bytes > MOST_BYTES) {
    throw new CorellaError("too_large", `A mutation may have ${MOST_BYTES} bytes as JSON, this one has ${bytes}. Write long texts through the row's document instead.`);
  }
  return stored;
}

/** The mutation in the words of the package's callers. */
export function toMutation({ entity, id, operation, fields }: StoredMutation): Mutation {
  switch (operation) {
    case "insert":
    case "patch":
      return { entity, id, operation, fields: fields ?? {} };
    case "delete":
    case "restore":
      return { entity, id, operation };
  }
}

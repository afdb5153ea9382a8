/** Answers on this device: what a page shows before there is a connection. */

import type { StoragePort } from "../storage/port.js";
import type { Answer } from "./answer.js";

/** An answer is kept when it has not changed for so long; a busy one is kept in between all the same. */
const PAUSE_MILLISECONDS = 1_000;

/** More answers than this are not kept: those used longest ago go. */
const MOST_ANSWERS = 100;

/** A longer answer is not kept. */
const MOST_CHARACTERS = 4 * 1024 * 1024;

const LIST = "answers";

export class KeptAnswers {
  readonly #storage: StoragePort;
  readonly #waiting = new Map<string, Answer>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(storage: StoragePort) {
    this.#storage = storage;
  }

  async recall(key: string): Promise<Answer | undefined> {
    try {
      const text = await this.#storage.recall(nameOf(key));
      return text === undefined ? undefined : (JSON.parse(text) as Answer);
    } catch {
      // It shows nothing until the server answers.
      return undefined;
    }
  }

  keep(key: string, answer: Answer): void {
    this.#waiting.set(key, answer);
    if (!this.#closed) {
      this.#timer ??= setTimeout(() => void this.flush(), PAUSE_MILLISECONDS);
    }
  }

  /** Past the keeper of rows: nobody's work is in danger where there is no room for these. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const answers = [...this.#waiting];
    this.#waiting.clear();
    try {
      const texts = answers.map(([key, answer]) => [key, JSON.stringify(answer)] as const).filter(([, text]) => text.length <= MOST_CHARACTERS);
      if (texts.length === 0) {
        return;
      }
      const known = JSON.parse((await this.#storage.recall(LIST)) ?? "[]") as string[];
      const all = [...known.filter((key) => !texts.some(([each]) => each === key)), ...texts.map(([key]) => key)];
      const gone = all.splice(0, Math.max(0, all.length - MOST_ANSWERS));
      await this.#storage.write([
        ...texts.map(([key, value]) => ({ type: "remember", name: nameOf(key), value }) as const),
        ...gone.map((key) => ({ type: "forget", name: nameOf(key) }) as const),
        { type: "remember", name: LIST, value: JSON.stringify(all) },
      ]);
    } catch {
      // The next change tries again.
    }
  }

  /** Forgets all answers. */
  async clear(): Promise<void> {
    this.#waiting.clear();
    const known = JSON.parse((await this.#storage.recall(LIST)) ?? "[]") as string[];
    await this.#storage.write([...known.map((key) => ({ type: "forget", name: nameOf(key) }) as const), { type: "forget", name: LIST }]);
  }

  close(): void {
    this.#closed = true;
    void this.flush();
  }
}

function nameOf(key: string): string {
  return `answer/${key}`;
}

/** The live queries of one tab: asked of the server where the tab holds the connection, else of the tab that does. */

import type { Extension, ExtensionHost } from "../engine/extension.js";
import { backoffMilliseconds } from "../net/backoff.js";
import { CorellaError } from "../public/error.js";
import { remedyFor } from "../row/refusal.js";
import type { TabId } from "../tabs/messages.js";
import type { Answer, Difference } from "./answer.js";
import { Instance } from "./instance.js";
import { KeptAnswers } from "./kept.js";
import { readLiveMessage } from "./messages.js";
import type { LiveQuery, LiveStatus, Query } from "./types.js";

type Json = Readonly<Record<string, unknown>>;

/** What tabs say to each other about live queries. Tabs of one origin run one version of this. */
type Words =
  /** A tab wants to know an answer. */
  | { readonly type: "follow"; readonly query: Query; readonly key: string; readonly documents: boolean }
  | { readonly type: "unfollow"; readonly key: string }
  /** The leader's answer, to one tab or to all. */
  | { readonly type: "answer"; readonly to: TabId | undefined; readonly key: string; readonly answer: Answer | undefined; readonly status: LiveStatus }
  | { readonly type: "difference"; readonly key: string; readonly from: number; readonly seq: number; readonly difference: Difference }
  | { readonly type: "await"; readonly ref: string; readonly seq: number }
  | { readonly type: "reached"; readonly ref: string };

interface Awaited {
  readonly seq: number;
  readonly resolve: () => void;
  readonly reject: (error: CorellaError) => void;
}

/** An answer that nobody uses any more is followed for so long, for whoever comes back to it. */
const LINGER_MILLISECONDS = 5_000;

export class LiveHub implements Extension {
  readonly #host: ExtensionHost;
  readonly #kept: KeptAnswers;
  readonly #instances = new Map<string, Instance>();
  readonly #awaited = new Map<string, Awaited>();
  readonly #lingering = new Map<Instance, ReturnType<typeof setTimeout>>();
  readonly #retries = new Map<Instance, { readonly timer: ReturnType<typeof setTimeout>; readonly attempt: number }>();
  #count = 0;

  constructor(host: ExtensionHost) {
    this.#host = host;
    this.#kept = new KeptAnswers(host.storage);
  }

  /** @param documents whether changes of documents are told that do not show in the rows. */
  open(query: Query, documents = false): LiveQuery {
    return this.#ensure(query, documents ? `documents ${keyOf(query)}` : keyOf(query), documents).retain();
  }

  authorized(): void {
    for (const instance of this.#instances.values()) {
      this.#subscribe(instance);
    }
    for (const [ref, { seq }] of this.#awaited) {
      this.#host.sendText(JSON.stringify({ type: "await", ref, seq }));
    }
  }

  disconnected(): void {
    for (const instance of this.#instances.values()) {
      instance.left();
      this.#tell(instance);
    }
  }

  leaderChanged(): void {
    if (this.#host.leads) {
      if (this.#host.isAuthorized) {
        this.authorized();
      }
      return;
    }
    for (const instance of this.#instances.values()) {
      instance.left();
      this.#ask(instance);
    }
    for (const [ref, { seq }] of this.#awaited) {
      this.#post({ type: "await", ref, seq });
    }
  }

  tabGone(tab: TabId): void {
    for (const instance of [...this.#instances.values()]) {
      if (instance.followers.delete(tab)) {
        instance.release();
      }
    }
  }

  heard(message: Json): void {
    if (message["type"] === "error") {
      this.#failed(String(message["ref"]), String(message["code"]), String(message["message"]), Number(message["retryAfterMilliseconds"]) || 0);
      return;
    }
    const live = readLiveMessage(message);
    switch (live?.type) {
      case "snapshot": {
        const instance = this.#byRef(live.ref);
        if (instance !== undefined) {
          const { epoch, seq, rows, cursor } = live;
          this.#settled(instance);
          instance.took({ epoch, seq, rows, cursor }, { kind: "live" });
          this.#changed(instance);
          this.#tell(instance);
        }
        return;
      }
      case "changes":
        this.#changes(live.seq, live.answers);
        return;
      case "reached":
        this.#reached(live.ref);
        return;
      case undefined:
        return;
    }
  }

  heardTab(from: TabId, said: Json): void {
    const words = said as Words;
    const instance = "key" in words ? this.#instances.get(words.key) : undefined;
    switch (words.type) {
      case "follow":
        if (this.#host.leads) {
          const followed = this.#ensure(words.query, words.key, words.documents);
          followed.followers.add(from);
          this.#tell(followed, from);
        }
        return;
      case "unfollow":
        instance?.followers.delete(from);
        instance?.release();
        return;
      case "answer":
        if (instance !== undefined && !this.#host.leads && (words.to === undefined || words.to === this.#host.tabId)) {
          this.#adopt(instance, words.answer, words.status);
        }
        return;
      case "difference":
        if (instance !== undefined && !this.#host.leads) {
          // A gap means that something was missed: the whole answer closes it.
          if (instance.status.kind !== "live" || instance.seq !== words.from || !instance.differs(words.seq, words.difference)) {
            this.#ask(instance);
          }
        }
        return;
      case "await":
        if (this.#host.leads) {
          void this.reached(words.seq).then(
            () => this.#post({ type: "reached", ref: words.ref }),
            () => {},
          );
        }
        return;
      case "reached":
        if (!this.#host.leads) {
          this.#reached(words.ref);
        }
    }
  }

  /** Forgets the answers that this device keeps; those that are followed are kept again with their next change. */
  forget(): Promise<void> {
    return this.#kept.clear();
  }

  /** Resolves when all answers have this change in them. */
  reached(seq: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const ref = this.#newRef("await");
      this.#awaited.set(ref, { seq, resolve, reject });
      if (!this.#host.leads) {
        this.#post({ type: "await", ref, seq });
      } else if (this.#host.isAuthorized) {
        this.#host.sendText(JSON.stringify({ type: "await", ref, seq }));
      }
    });
  }

  close(): void {
    this.#lingering.forEach((timer) => clearTimeout(timer));
    this.#retries.forEach(({ timer }) => clearTimeout(timer));
    this.#kept.close();
    const closed = new CorellaError("client_closed", "The client was closed before the answers had this change.");
    this.#awaited.forEach(({ reject }) => reject(closed));
    this.#awaited.clear();
    this.#instances.forEach((instance) => instance.dispose());
    this.#instances.clear();
  }

  #ensure(query: Query, key: string, documents: boolean): Instance {
    const known = this.#instances.get(key);
    if (known !== undefined) {
      clearTimeout(this.#lingering.get(known));
      this.#lingering.delete(known);
      return known;
    }
    const instance = new Instance(query, key, documents, { unused: (each) => this.#linger(each), reached: (seq) => this.reached(seq) });
    this.#instances.set(key, instance);
    void this.#begin(instance);
    return instance;
  }

  /** What the device has first: with it the server need only say what has changed since. */
  async #begin(instance: Instance): Promise<void> {
    const kept = await this.#kept.recall(instance.key);
    if (this.#instances.get(instance.key) !== instance) {
      return;
    }
    if (kept !== undefined) {
      instance.recalled(kept);
    }
    if (this.#host.leads) {
      if (this.#host.isAuthorized) {
        this.#subscribe(instance);
      }
    } else {
      this.#ask(instance);
    }
  }

  #subscribe(instance: Instance): void {
    if (instance.ref !== undefined || !this.#host.isAuthorized) {
      return;
    }
    const ref = this.#newRef("live");
    instance.ref = ref;
    const { answer, query } = instance;
    // A server that does not know the key would refuse the query.
    const documents = (instance.documents && this.#host.can.includes("documents")) || undefined;
    const since = answer && { epoch: answer.epoch, seq: answer.seq, ids: answer.rows.map(({ id }) => id) };
    this.#host.sendText(JSON.stringify({ type: "subscribe", ref, query, since, documents }));
  }

  #ask(instance: Instance): void {
    this.#post({ type: "follow", query: instance.query, key: instance.key, documents: instance.documents });
  }

  #adopt(instance: Instance, answer: Answer | undefined, status: LiveStatus): void {
    if (answer !== undefined) {
      instance.took(answer, status);
    }
    if (status.kind === "refused") {
      instance.refused(status.code, status.message);
    } else if (status.kind !== "live") {
      instance.left();
    }
  }

  #changes(seq: number, answers: readonly (Difference & { readonly ref: string })[]): void {
    for (const { ref, upsert, remove } of answers) {
      const instance = this.#byRef(ref);
      const from = instance?.seq ?? 0;
      const isFirst = instance?.status.kind !== "live";
      if (instance?.differs(seq, { upsert, remove }) === true) {
        this.#settled(instance);
        this.#changed(instance);
        if (isFirst) {
          this.#tell(instance);
        } else if (instance.followers.size > 0) {
          this.#post({ type: "difference", key: instance.key, from, seq, difference: { upsert, remove } });
        }
      }
    }
  }

  #reached(ref: string): void {
    this.#awaited.get(ref)?.resolve();
    this.#awaited.delete(ref);
  }

  #failed(ref: string, code: string, message: string, retryAfterMilliseconds: number): void {
    const awaited = this.#awaited.get(ref);
    if (awaited !== undefined) {
      this.#awaited.delete(ref);
      awaited.reject(new CorellaError(code, message));
      return;
    }
    const instance = this.#byRef(ref);
    if (instance === undefined) {
      return;
    }
    // A changed manifest ends queries that may be asked again.
    if (code !== "query_ended" && remedyFor(code, "final") === "final") {
      instance.refused(code, message);
    } else {
      const attempt = this.#retries.get(instance)?.attempt ?? 0;
      instance.left();
      const timer = setTimeout(() => this.#subscribe(instance), Math.max(backoffMilliseconds(attempt), retryAfterMilliseconds));
      this.#retries.set(instance, { timer, attempt: attempt + 1 });
    }
    this.#tell(instance);
  }

  #settled(instance: Instance): void {
    clearTimeout(this.#retries.get(instance)?.timer);
    this.#retries.delete(instance);
  }

  #changed(instance: Instance): void {
    if (instance.answer !== undefined) {
      this.#kept.keep(instance.key, instance.answer);
    }
  }

  /** How an answer stands, to the tabs that follow it. */
  #tell(instance: Instance, to?: TabId): void {
    if (this.#host.leads && instance.followers.size > 0) {
      this.#post({ type: "answer", to, key: instance.key, answer: instance.answer, status: instance.status });
    }
  }

  #linger(instance: Instance): void {
    clearTimeout(this.#lingering.get(instance));
    this.#lingering.set(
      instance,
      setTimeout(() => this.#end(instance), LINGER_MILLISECONDS),
    );
  }

  #end(instance: Instance): void {
    this.#lingering.delete(instance);
    if (!instance.isUnused) {
      return;
    }
    this.#settled(instance);
    this.#instances.delete(instance.key);
    if (!this.#host.leads) {
      this.#post({ type: "unfollow", key: instance.key });
    } else if (instance.ref !== undefined) {
      this.#host.sendText(JSON.stringify({ type: "unsubscribe", ref: instance.ref }));
    }
    instance.dispose();
  }

  #byRef(ref: string): Instance | undefined {
    for (const instance of this.#instances.values()) {
      if (instance.ref === ref) {
        return instance;
      }
    }
    return undefined;
  }

  #newRef(kind: string): string {
    this.#count += 1;
    return `${kind}/${this.#host.tabId}/${this.#count}`;
  }

  #post(words: Words): void {
    this.#host.post(words as unknown as Json);
  }
}

/** The same text for queries that say the same. */
export function keyOf(query: Query): string {
  return JSON.stringify(query, (_, value: unknown) =>
    // The order of keys stays: that of `orderBy` has a meaning.
    typeof value === "object" && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) : value,
  );
}

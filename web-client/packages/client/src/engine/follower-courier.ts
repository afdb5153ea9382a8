/** Carries one row over the tab that holds the connection. */

import { LoroDoc, VersionVector } from "loro-crdt";

import { merged } from "../row/merge.js";
import type { RowPresence } from "../row/presence.js";
import type { Row } from "../row/row.js";
import type { RowCourier } from "../row/row-context.js";
import { transplanted } from "../row/transplant.js";
import { FollowerSync } from "../tabs/follower-sync.js";
import type { TabMessage, TabWords } from "../tabs/messages.js";
import { unreachable } from "../util/unreachable.js";

/** What the leader says of one row. */
export type RowNews = Extract<TabMessage, { type: "opened" | "state" | "rejected" | "replaced" }>;

export class FollowerCourier implements RowCourier {
  readonly sync: FollowerSync;
  readonly #row: Row;
  readonly #post: (words: TabWords) => void;
  #presence: RowPresence | undefined;
  /** Set from the rejection of this document until another one takes its place. */
  #isRejected = false;

  constructor(row: Row, post: (words: TabWords) => void) {
    this.#row = row;
    this.#post = post;
    this.sync = new FollowerSync(
      row.key,
      {
        get doc() {
          return row.doc;
        },
        presence: () => this.#presence?.own() ?? [],
        post,
        progressed: () => row.report(),
        caughtUp: () => row.caughtUp(),
        settled: (durable, epoch) => row.store.settle(durable, epoch),
      },
      row.store.hasUnsent,
    );
  }

  start(presence: RowPresence | undefined): void {
    this.#presence = presence;
    this.sync.open();
  }

  startPresence(presence: RowPresence): void {
    this.#presence = presence;
    this.sync.open();
  }

  /** The row tells all tabs at once; the leader carries it on. */
  sendPresence(): void {}

  reopen(): void {
    this.sync.open();
  }

  leave(): void {
    this.sync.leave();
  }

  detach(): void {
    this.sync.detach();
  }

  hear(news: RowNews): void {
    switch (news.type) {
      case "opened": {
        if (news.presence !== undefined) {
          this.#row.presences().apply(news.presence);
        }
        if (news.update.length > 0) {
          this.#row.take(news.update, "server");
        }
        const missing = this.sync.opened(news.version);
        if (missing !== undefined) {
          this.#post({ type: "update", row: this.#row.key, update: missing, origin: "device" });
        }
        return;
      }
      case "state":
        this.sync.heard(news);
        return;
      case "rejected":
        this.#isRejected = true;
        this.#row.reject({ code: news.code, message: news.message, lost: this.#row.doc });
        return;
      case "replaced":
        this.#replace(news.snapshot, news.dealtWith);
        return;
      default:
        unreachable(news);
    }
  }

  #replace(snapshot: Uint8Array, dealtWith: Uint8Array | undefined): void {
    const fresh = new LoroDoc();
    fresh.import(snapshot);
    const old = this.#row.doc;
    const joined = (): LoroDoc | undefined => (dealtWith === undefined ? merged(fresh, old) : transplanted(fresh, old, VersionVector.decode(dealtWith)));
    const whole = this.#isRejected ? fresh : joined();
    this.#isRejected = false;
    this.#row.store.forgetSeed();
    this.#row.replace(whole ?? fresh);
    this.sync.open();
  }
}

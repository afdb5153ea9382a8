/** What stands behind a client: storage, tabs, connection, rows and mutations, and who tells whom. */

import { MutationQueue } from "../mutations/queue.js";
import { SenderOnDemand } from "../mutations/on-demand.js";
import type { ServerAddress } from "../net/address.js";
import type { Credentials } from "../net/credentials.js";
import { isHidden, onVisible } from "../net/network.js";
import type { ClientStatus, CorellaClientOptions, Mutation, MutationOutcome, QueuedMutation, SyncStatus, Unsubscribe } from "../public/types.js";
import { IndexedDbStorage } from "../storage/indexed-db.js";
import { deferred } from "../storage/deferred.js";
import { Keeper } from "../storage/keeper.js";
import type { StoragePort, StoredMutation, StoredRejection } from "../storage/port.js";
import type { TabMessage, TabWords } from "../tabs/messages.js";
import { browserTabs } from "../tabs/platform.js";
import { Tabs, type TabRole } from "../tabs/tabs.js";
import { Emitter } from "../util/emitter.js";
import { unreachable } from "../util/unreachable.js";
import { Census } from "./census.js";
import { Errands } from "./errands.js";
import { evict } from "./eviction.js";
import type { Extension, ExtensionHost } from "./extension.js";
import { Rows } from "./rows.js";
import { Uplink } from "./uplink.js";
import { Views } from "./views.js";
import { uuid7 } from "../util/uuid.js";

const BUDGET_BYTES = 256 * 1024 * 1024;

/** How often a tab that somebody looks at asks the leader, which may be hidden, to try the connection. */
const WAKE_MILLISECONDS = 15_000;

export class Engine {
  readonly keeper: Keeper;
  readonly rows: Rows;
  readonly views: Views;
  readonly statusEvents = new Emitter<ClientStatus>();
  readonly syncEvents = new Emitter<SyncStatus>();
  readonly rejectedEvents = new Emitter<StoredRejection>();
  readonly settledEvents = new Emitter<MutationOutcome>();
  readonly #options: CorellaClientOptions;
  readonly #address: ServerAddress;
  readonly #credentials: Credentials;
  readonly #fetch: typeof fetch;
  readonly #Socket: typeof WebSocket | undefined;
  readonly #tabs: Tabs;
  readonly #queue: MutationQueue;
  readonly #sender: SenderOnDemand;
  readonly #errands: Errands;
  readonly #census: Census;
  readonly #stops: Unsubscribe[] = [];
  #uplink: Uplink | undefined;
  #extension: Extension | undefined;
  #isAuthorized = false;
  /** What the leader says, in a tab that follows. */
  #leaderStatus: ClientStatus = "connecting";
  #leader: string | undefined;
  #offline = false;
  #closed = false;

  constructor(options: CorellaClientOptions, address: ServerAddress, credentials: Credentials, fetchFunction: typeof fetch) {
    this.#options = options;
    this.#address = address;
    this.#credentials = credentials;
    this.#fetch = fetchFunction;
    this.#Socket = options.WebSocket ?? globalThis.WebSocket;
    const name = databaseName(address.http, options.user ?? "");
    this.keeper = new Keeper(storageFor(options, name), {
      storageChanged: () => {
        this.#census.changed();
        this.#storageChanged();
      },
      makeRoom: () => this.#makeRoom(0),
    });
    this.#census = new Census(this.keeper, () => this.status, (sync) => this.syncEvents.emit(sync));
    const engine = this;
    this.rows = new Rows(this.keeper, options.user !== undefined, {
      get connection() {
        return engine.status;
      },
      post: (words) => this.#post(words),
      rejected: (rejection) => this.#rejected(rejection),
      changed: () => this.#rowsChanged(),
      exclusively: (lock, work) => this.#tabs.exclusively(lock, work),
    });
    this.views = new Views(this.keeper, this.rows.open);
    this.#errands = new Errands(this.keeper, (key) => this.rows.ensure(key));
    this.#queue = new MutationQueue(this.keeper, { queued: (mutation, where) => this.#queued(mutation, where) });
    this.#sender = new SenderOnDemand(this.keeper, {
      send: (text) => this.#uplink?.sendText(text),
      renew: () => void this.#uplink?.renew(),
      settled: (outcome) => this.#settled(outcome),
      refused: (mutation, code, message) => this.#refused(mutation, code, message),
    });
    const platform = options.tabs === "alone" || !isShared(options) ? undefined : (options.tabs ?? browserTabs());
    this.#tabs = new Tabs(name, platform, {
      roleChanged: (role) => this.#roleChanged(role),
      heard: (message) => this.#heard(message),
      gone: (tab) => {
        this.rows.gone(tab);
        this.#extension?.tabGone(tab);
        void this.#errands.look();
      },
    });
  }

  get canConnect(): boolean {
    return this.#Socket !== undefined;
  }

  get status(): ClientStatus {
    if (this.#Socket === undefined || this.#offline) {
      return "offline";
    }
    return this.#uplink?.status ?? this.#leaderStatus;
  }

  get sync(): SyncStatus {
    return this.#census.current;
  }

  start(): void {
    this.#tabs.start();
    this.#census.changed();
    this.#stops.push(onVisible(() => this.#wakeLeader()));
    const timer = setInterval(() => {
      if (!isHidden() && this.status === "connecting") {
        this.#wakeLeader();
      }
    }, WAKE_MILLISECONDS);
    this.#stops.push(() => clearInterval(timer));
  }

  /** The extension of this client, which is made if there is none. */
  extended<Made extends Extension>(make: (host: ExtensionHost) => Made): Made {
    const engine = this;
    this.#extension ??= make({
      get leads() {
        return engine.#uplink !== undefined;
      },
      get isAuthorized() {
        return engine.#isAuthorized;
      },
      get status() {
        return engine.status;
      },
      get can() {
        return engine.#uplink?.can ?? [];
      },
      storage: this.keeper.storage,
      tabId: this.#tabs.id,
      sendText: (text) => this.#uplink?.sendText(text),
      post: (words) => this.#post({ type: "extension", words }),
    });
    // There is one kind of extension.
    return this.#extension as Made;
  }

  setOffline(offline: boolean): void {
    this.#switch(offline);
    this.#post({ type: "switch", offline });
  }

  mutate(mutation: Mutation): QueuedMutation {
    const queued = this.#queue.add(mutation);
    this.#census.changed();
    return queued;
  }

  async dismiss(rejectionId: string): Promise<void> {
    await this.keeper.write({ type: "release", id: rejectionId });
    this.#post({ type: "rejections" });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stops.forEach((stop) => stop());
    this.rows.close();
    this.#errands.stop();
    this.#sender.disconnected();
    this.#queue.close();
    this.#extension?.close();
    this.#census.close();
    this.views.close();
    this.#uplink?.close();
    this.#tabs.close();
    for (const events of [this.statusEvents, this.syncEvents, this.rejectedEvents, this.settledEvents]) {
      events.clear();
    }
    await this.keeper.close();
  }

  #post(words: TabWords): void {
    this.#tabs.post(words);
  }

  #roleChanged(role: TabRole): void {
    switch (role) {
      case "leader":
        this.#lead();
        return;
      case "follower":
        this.rows.carryWith({ kind: "leader" });
        this.#extension?.leaderChanged();
        return;
      case "undecided":
        return;
      default:
        unreachable(role);
    }
  }

  #lead(): void {
    if (this.#Socket === undefined || this.#closed) {
      return;
    }
    const uplink = new Uplink(
      { address: this.#address, Socket: this.#Socket, credentials: this.#credentials, fetch: this.#fetch, user: this.#options.user, schema: this.#options.schema?.fingerprint },
      {
        statusChanged: () => this.#statusChanged(),
        authorized: () => {
          this.#isAuthorized = true;
          this.#extension?.authorized();
          this.#sender.authorized();
          void this.#errands.look();
        },
        closed: () => {
          this.#isAuthorized = false;
          this.#extension?.disconnected();
          this.#sender.disconnected();
        },
        answered: (answer) => {
          this.#sender.answered(answer);
          this.#extension?.heard(answer);
        },
        heard: (message) => this.#extension?.heard(message),
      },
    );
    this.#uplink = uplink;
    if (!this.#offline) {
      uplink.start();
    }
    this.rows.carryWith({ kind: "uplink", uplink });
    this.#extension?.leaderChanged();
    this.#tellStatus();
    this.views.changed();
    void this.#makeRoom(this.#options.storageBytes ?? BUDGET_BYTES).catch(() => {});
  }

  #statusChanged(): void {
    this.rows.connectionChanged();
    this.#tellStatus();
    this.statusEvents.emit(this.status);
    this.#census.changed();
  }

  #tellStatus(): void {
    if (this.#uplink !== undefined) {
      this.#post({ type: "leader", status: this.#uplink.status, offline: this.#offline });
    }
  }

  #heard(message: TabMessage): void {
    switch (message.type) {
      case "hello":
        this.#tellStatus();
        return;
      case "leader":
        this.#heardLeader(message);
        return;
      case "switch":
        this.#switch(message.offline);
        return;
      case "wake":
        this.#uplink?.wake();
        return;
      case "queued":
        if (this.#uplink !== undefined) {
          this.#sender.queued(message.mutation);
        }
        return;
      case "stored":
        if (this.#uplink !== undefined) {
          this.#sender.stored();
        }
        this.#census.changed();
        return;
      case "settled":
        this.#tellSettled(message.outcome);
        return;
      case "rejected_work":
        this.rejectedEvents.emit(message.rejection);
        return;
      case "extension":
        this.#heardExtension(message.from, message.words);
        return;
      case "rejections":
        return;
      case "open":
      case "close":
      case "opened":
      case "update":
      case "state":
      case "rejected":
      case "replaced":
      case "presence":
        if (message.type !== "opened" || message.to === this.#tabs.id) {
          this.rows.heard(message);
        }
        this.#census.changed();
        return;
      default:
        unreachable(message);
    }
  }

  #heardExtension(from: string, words: Readonly<Record<string, unknown>>): void {
    if (this.#extension !== undefined) {
      this.#extension.heardTab(from, words);
    } else if (this.#uplink !== undefined) {
      // Another tab uses what this one, which has the connection, has not loaded.
      void import("../live/hub.js").then(
        ({ LiveHub }) => !this.#closed && this.extended((host) => new LiveHub(host)).heardTab(from, words),
        () => {},
      );
    }
  }

  #heardLeader({ from, status, offline }: Extract<TabMessage, { type: "leader" }>): void {
    if (this.#uplink !== undefined) {
      return;
    }
    const before = this.status;
    this.#leaderStatus = status;
    this.#offline = offline;
    if (from !== this.#leader) {
      const isFirst = this.#leader === undefined;
      this.#leader = from;
      if (!isFirst) {
        this.rows.leaderless();
        this.rows.reopen();
        this.#extension?.leaderChanged();
      }
    }
    if (this.status !== before) {
      this.rows.connectionChanged();
      this.statusEvents.emit(this.status);
      this.#census.changed();
    }
  }

  #switch(offline: boolean): void {
    const before = this.status;
    this.#offline = offline;
    if (offline) {
      this.#uplink?.switchOff();
    } else {
      this.#uplink?.start();
    }
    if (this.status !== before && this.#uplink === undefined) {
      this.rows.connectionChanged();
      this.statusEvents.emit(this.status);
    }
    this.#tellStatus();
    this.#census.changed();
  }

  #wakeLeader(): void {
    if (this.#uplink === undefined) {
      this.#post({ type: "wake" });
    }
  }

  #queued(mutation: StoredMutation, where: "stored" | "memory"): void {
    if (where === "stored") {
      if (this.#uplink !== undefined) {
        this.#sender.stored();
      }
      this.#post({ type: "stored" });
    } else if (this.#tabs.role === "follower") {
      this.#post({ type: "queued", mutation });
    } else {
      this.#sender.queued(mutation);
    }
    this.#census.changed();
  }

  #settled(outcome: MutationOutcome): void {
    this.#post({ type: "settled", outcome });
    this.#tellSettled(outcome);
  }

  #tellSettled(outcome: MutationOutcome): void {
    this.#queue.settled(outcome);
    this.settledEvents.emit(outcome);
    this.#census.changed();
  }

  #refused(mutation: StoredMutation, code: string, message: string): void {
    const rejection: StoredRejection = { id: uuid7(), code, message, at: Date.now(), work: { kind: "mutation", mutation } };
    void this.keeper.write({ type: "quarantine", rejection });
    this.#rejected(rejection);
  }

  #rejected(rejection: StoredRejection): void {
    this.#post({ type: "rejected_work", rejection });
    this.rejectedEvents.emit(rejection);
    this.#census.changed();
  }

  #rowsChanged(): void {
    this.#errands.next();
    this.#census.changed();
  }

  /** One tab is enough to make views. */
  #storageChanged(): void {
    if (this.#uplink !== undefined && this.keeper.status.kind === "saved") {
      this.views.changed();
    }
  }

  /** `budgetBytes` 0 means: as much as possible. */
  async #makeRoom(budgetBytes: number): Promise<void> {
    if (this.#uplink !== undefined) {
      await evict(this.keeper.storage, budgetBytes, (key) => this.rows.open.has(key));
    }
  }
}

/** Tabs share what they can find together: a store of their own each is nothing to share. */
function isShared(options: CorellaClientOptions): boolean {
  return options.tabs !== undefined || (options.storage === undefined && isKept(options));
}

function isKept(options: CorellaClientOptions): boolean {
  return options.user !== undefined && typeof indexedDB !== "undefined";
}

function storageFor(options: CorellaClientOptions, name: string): StoragePort {
  return options.storage ?? (isKept(options) ? new IndexedDbStorage(name) : deferred(async () => new (await import("../storage/memory.js")).MemoryStorage()));
}

/** One for each server and user. The number is that of the format between tabs. */
function databaseName(server: string, user: string): string {
  return `corella/1/${server}/${encodeURIComponent(user)}`;
}

/** A part of the client that pages load when they use it, and what it has from the engine. */

import type { ClientStatus } from "../public/types.js";
import type { StoragePort } from "../storage/port.js";
import type { TabId } from "../tabs/messages.js";

type Json = Readonly<Record<string, unknown>>;

/** What an extension hears. */
export interface Extension {
  /** This tab has a connection on which the server knows who is calling. */
  authorized(): void;
  /** It has it no more. */
  disconnected(): void;
  /** A control message that the engine itself has no use for, or the refusal of one with a `ref`. */
  heard(message: Json): void;
  /** Words of another tab's extension. */
  heardTab(from: TabId, words: Json): void;
  /** Another tab leads now, or this one does. */
  leaderChanged(): void;
  tabGone(tab: TabId): void;
  close(): void;
}

/** What an extension may use. */
export interface ExtensionHost {
  /** Whether this tab holds the connection of all. */
  readonly leads: boolean;
  readonly isAuthorized: boolean;
  readonly status: ClientStatus;
  /** What the server can that an earlier one could not; nothing in a tab that follows. */
  readonly can: readonly unknown[];
  readonly storage: StoragePort;
  readonly tabId: TabId;
  sendText(text: string): void;
  /** Tells the extensions of the other tabs. */
  post(words: Json): void;
}

/** The bridge between loro-prosemirror's cursors and the row's presence. */

import type { RowHandle } from "@corella/client";
import { type Cursor, type EphemeralStore, type LoroDoc, LoroList, LoroText, type PeerID } from "loro-crdt";
import { CursorEphemeralStore, type CursorPresenceState } from "loro-prosemirror";

import { type EditingPerson, type EditingPresence, presenceOf, presenceValue } from "./presence.js";

/** Nobody sees cursors drawn more often than this. Not the browser's own frames: it has none for a page that nobody looks at. */
const FRAME_MILLISECONDS = 16;

/**
 * Reads and writes the row's presence where loro-prosemirror would use a store of its own.
 *
 * A person stays present while the editor has no focus: only the selection goes.
 */
export class RowCursorStore extends CursorEphemeralStore {
  readonly #presence: EphemeralStore;
  readonly #self: string;
  readonly #doc: LoroDoc;
  readonly #person: EditingPerson;
  #isEntered = false;
  /** Draws the others' cursors. */
  redraw: () => void = () => {};
  /** Set while the others' cursors are about to be drawn, with all moves that come in until then. */
  #drawing: ReturnType<typeof setTimeout> | undefined;

  constructor(row: RowHandle, person: EditingPerson) {
    super(row.doc.peerIdStr);
    this.#presence = row.presence;
    this.#self = row.presenceId;
    this.#doc = row.doc;
    this.#person = person;
  }

  /** Tells the others that this person is here, and shows where they are. Before, there is no text to show it in. */
  enter(): void {
    this.#isEntered = true;
    this.setLocal({});
    this.#draw(0);
  }

  leave(): void {
    this.#isEntered = false;
    this.#presence.delete(this.#self);
  }

  personAt(peer: PeerID): EditingPerson | undefined {
    return this.#read(peer)?.person;
  }

  override setLocal({ anchor, focus }: CursorPresenceState): void {
    const selection = anchor && focus && { anchor, focus };
    this.#presence.set(this.#self, presenceValue({ person: this.#person, selection }));
  }

  override getLocal(): CursorPresenceState | undefined {
    return stateOf(this.#read(this.#self));
  }

  /** Everybody else whose selection lies in this document as it is now: a cursor may arrive before the text it is in. */
  override getAll(): Record<PeerID, CursorPresenceState> {
    const states: Record<PeerID, CursorPresenceState> = {};
    for (const peer of this.#isEntered ? this.#presence.keys() : []) {
      const presence = this.#read(peer);
      const selection = presence?.selection;
      if (isPeer(peer) && peer !== this.#self && selection && this.#holds(selection.anchor) && this.#holds(selection.focus)) {
        states[peer] = stateOf(presence) ?? {};
      }
    }
    return states;
  }

  /** loro-prosemirror's own listener would draw from the selection that the editor knows; {@link redraw} looks first. */
  override subscribeBy(): () => void {
    const stop = this.#presence.subscribe(({ by }) => {
      if (by !== "local") {
        this.#draw(FRAME_MILLISECONDS);
      }
    });
    return () => {
      stop();
      clearTimeout(this.#drawing);
      this.#drawing = undefined;
    };
  }

  #draw(milliseconds: number): void {
    this.#drawing ??= setTimeout(() => {
      this.#drawing = undefined;
      this.redraw();
    }, milliseconds);
  }

  #read(key: string): EditingPresence | undefined {
    return presenceOf(this.#presence.get(key));
  }

  #holds(cursor: Cursor): boolean {
    const container = this.#doc.getContainerById(cursor.containerId());
    return (container instanceof LoroText || container instanceof LoroList) && !container.isDeleted();
  }
}

function stateOf(presence: EditingPresence | undefined): CursorPresenceState | undefined {
  return presence && { ...presence.selection, user: { ...presence.person } };
}

function isPeer(key: string): key is PeerID {
  return /^\d+$/.test(key);
}

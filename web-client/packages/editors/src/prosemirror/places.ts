/** Where a position in the editor is, in terms that survive a change of the document. */

import type { ContainerID, Delta, LoroDoc, LoroEventBatch } from "loro-crdt";
import type { LoroNodeMapping } from "loro-prosemirror";
import type { Fragment, Node } from "prosemirror-model";

/** A position, as an offset in the block that holds it. */
export interface Place {
  readonly position: number;
  readonly block: Node;
  readonly offset: number;
  /** Absent when the block is not in the document yet. */
  readonly container: ContainerID | undefined;
}

/** What an event did to the texts of blocks, by the block's container. */
export type TextChanges = ReadonlyMap<ContainerID, readonly Delta<string>[]>;

export function placeOf(document: Node, position: number, mapping: LoroNodeMapping): Place {
  const { parent, parentOffset } = document.resolve(position);
  return { position, block: parent, offset: parentOffset, container: containerOf(parent, mapping) };
}

export function textChanges(doc: LoroDoc, event: LoroEventBatch): TextChanges {
  const changes = new Map<ContainerID, readonly Delta<string>[]>();
  for (const { target, diff } of event.events) {
    const block = doc.getContainerById(target)?.parent()?.parent();
    if (diff.type === "text" && block !== undefined) {
      changes.set(block.id, diff.diff);
    }
  }
  return changes;
}

/** The position in `after` of a place in `before`: behind the same letter, where that letter is still there. */
export function positionOf(
  place: Place,
  before: Node,
  after: Node,
  mapping: LoroNodeMapping,
  changes: TextChanges,
): number {
  const block = place.container === undefined ? undefined : mapping.get(place.container);
  const start = block === undefined || Array.isArray(block) ? undefined : startOf(block, after);
  if (place.container === undefined || block === undefined || Array.isArray(block) || start === undefined) {
    return across(place.position, before.content, after.content);
  }
  const change = changes.get(place.container);
  // Line breaks among the text take up room that the text's own change does not count.
  const isTextAlone = place.block.textContent.length === place.block.content.size;
  const offset =
    change !== undefined && isTextAlone
      ? acrossDelta(place.offset, change)
      : across(place.offset, place.block.content, block.content);
  return start + Math.min(offset, block.content.size);
}

/** Moves an offset over the one range in which two contents differ. Text that came at the offset itself lands behind it. */
function across(offset: number, before: Fragment, after: Fragment): number {
  const start = before.findDiffStart(after);
  const end = before.findDiffEnd(after);
  if (start === null || end === null || offset <= start) {
    return offset;
  }
  const overlap = Math.max(0, start - Math.min(end.a, end.b));
  return offset >= end.a + overlap ? offset + end.b - end.a : start;
}

function acrossDelta(offset: number, delta: readonly Delta<string>[]): number {
  let moved = offset;
  let reached = 0;
  for (const { retain = 0, delete: removed = 0, insert = "" } of delta) {
    if (reached >= offset) {
      break;
    }
    moved += insert.length - Math.min(removed, offset - reached);
    reached += retain + removed;
  }
  return moved;
}

function containerOf(node: Node, mapping: LoroNodeMapping): ContainerID | undefined {
  for (const [container, mapped] of mapping) {
    if (mapped === node) {
      return container;
    }
  }
  return undefined;
}

/** Where a block's content starts. */
function startOf(block: Node, document: Node): number | undefined {
  let start: number | undefined;
  document.descendants((node, position) => {
    if (node === block) {
      start = position + 1;
    }
    return start === undefined && !node.isTextblock;
  });
  return start;
}

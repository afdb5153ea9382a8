/** What was written on top of a seed, made again on top of what somebody else has filled the document with. */

import { type ContainerID, isContainer, type JsonDiff, type LoroDoc, type LoroList, type LoroMap, type VersionVector } from "loro-crdt";

import { FIELDS_ROOT } from "./changes.js";
import { covers } from "./versions.js";

/**
 * `fresh` with the edits that `old` has beyond `seed`, as a document of its own; `undefined` if they have no place in it.
 *
 * Fields are the same in both. A container that the seed made inside of a field is taken for the one of its kind that is at the
 * same place in `fresh`: two clients of one application fill a document in the same way.
 */
export function transplanted(fresh: LoroDoc, old: LoroDoc, seed: VersionVector): LoroDoc | undefined {
  old.commit();
  if (covers(seed, old.oplogVersion())) {
    return fresh;
  }
  const from = old.vvToFrontiers(seed);
  const result = fresh.fork();
  const places = new Map<ContainerID, ContainerID>();
  const seeded = old.forkAt(from);
  match(seeded.getMap(FIELDS_ROOT), result.getMap(FIELDS_ROOT), places);
  const made = new Set<ContainerID>();
  const diff: [ContainerID, JsonDiff][] = [];
  for (const [id, change] of old.diff(from, old.oplogFrontiers(), true)) {
    containersIn(change).forEach((each) => made.add(each));
    const place = made.has(id) ? id : (places.get(id) ?? id);
    if (!made.has(id) && result.getContainerById(place) === undefined && !place.startsWith("cid:root-")) {
      return undefined;
    }
    diff.push([place, change]);
  }
  try {
    result.applyDiff(diff);
    result.commit();
    return result;
  } catch {
    // There is less in a text or a list than the edits count on.
    return undefined;
  }
}

/** Pairs the containers of two trees that are at the same place and of one kind. */
function match(one: unknown, other: unknown, places: Map<ContainerID, ContainerID>): void {
  if (!isContainer(one) || !isContainer(other) || one.kind() !== other.kind()) {
    return;
  }
  places.set(one.id, other.id);
  const kind = one.kind();
  if (kind === "Map") {
    for (const [key, value] of (one as LoroMap).entries()) {
      match(value, (other as LoroMap).get(key), places);
    }
  } else if (kind === "List" || kind === "MovableList") {
    (one as LoroList).toArray().forEach((value, index) => match(value, (other as LoroList).get(index), places));
  }
}

/** Loro names containers that a diff makes like this. */
const MADE = "🦜:";

function containersIn(change: JsonDiff): ContainerID[] {
  const values: unknown[] = change.type === "map" ? Object.values(change.updated) : change.type === "list" ? change.diff.flatMap((step) => step.insert ?? []) : [];
  return values.flatMap((value) => (typeof value === "string" && value.startsWith(MADE) ? [value.slice(MADE.length) as ContainerID] : []));
}

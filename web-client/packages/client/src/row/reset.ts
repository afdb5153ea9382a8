/** What a document that was set aside has, and the server has not. */

import { VersionVector, type LoroDoc, type PeerID, type Value } from "loro-crdt";

import type { RowUnsent } from "../public/types.js";
import { FIELDS_ROOT } from "./changes.js";
import { plainValue } from "./plain-value.js";
import { covers } from "./versions.js";

/** The code of a server that does not keep the history any more that a copy builds on. */
export const HISTORY_TRIMMED = "history_trimmed";

/** What of `document` a server at this version lacks; `undefined` when it lacks nothing. */
export function unsentOf(document: LoroDoc, server: VersionVector): RowUnsent | undefined {
  document.commit();
  const own = document.oplogVersion();
  if (covers(server, own)) {
    return undefined;
  }
  const before = fieldsAt(document, common(own, server));
  const now = document.getMap(FIELDS_ROOT);
  const fields: Record<string, Value | undefined> = {};
  for (const name of new Set([...now.keys(), ...Object.keys(before)])) {
    const value = plainValue(now.get(name));
    if (JSON.stringify(value) !== JSON.stringify(before[name])) {
      fields[name] = value;
    }
  }
  return { fields };
}

/** What both have. */
function common(one: VersionVector, other: VersionVector): VersionVector {
  const theirs = other.toJSON();
  const both = new Map<PeerID, number>();
  for (const [peer, count] of one.toJSON()) {
    const least = Math.min(count, theirs.get(peer) ?? 0);
    if (least > 0) {
      both.set(peer, least);
    }
  }
  return new VersionVector(both);
}

/** The fields as they were then; none where the document itself does not reach back so far. */
function fieldsAt(document: LoroDoc, version: VersionVector): Readonly<Record<string, Value | undefined>> {
  if (version.length() === 0) {
    return {};
  }
  try {
    const fields = document.forkAt(document.vvToFrontiers(version)).getMap(FIELDS_ROOT);
    return Object.fromEntries(fields.keys().map((name) => [name, plainValue(fields.get(name))]));
  } catch {
    return {};
  }
}

/** What is under a key of a Loro map, as plain data. */

import { isContainer, type Container, type Value } from "loro-crdt";

import { unreachable } from "../util/unreachable.js";

/** Text as a string, counters as a number, other containers as JSON, plain values as they are. */
export function plainValue(value: unknown): Value | undefined {
  return isContainer(value) ? containerValue(value) : (value as Value | undefined);
}

function containerValue(container: Container): Value {
  const kind = container.kind();
  switch (kind) {
    case "Text":
      return container.toString();
    case "Counter":
      return "value" in container ? container.value : 0;
    case "Map":
    case "List":
    case "MovableList":
    case "Tree":
      return container.toJSON() as Value;
    default:
      return unreachable(kind);
  }
}

/** Closes a `switch` over a union, so that a new member is a compile error where it is not handled. */

/** Never runs while the types hold; names the value if something untyped got through. */
export function unreachable(value: never): never {
  throw new TypeError(`a value outside its type reached this point: ${JSON.stringify(value)}`);
}

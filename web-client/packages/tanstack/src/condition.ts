/** TanStack's expressions as conditions of the server. */

import type { JsonValue } from "@corella/client";
import type { IR } from "@tanstack/db";

export interface Condition {
  /** `undefined` when it holds for every row. */
  readonly where: JsonValue | undefined;
  /** Whether it holds for no more rows than the expression does. It never holds for fewer. */
  readonly isExact: boolean;
}

const EVERY_ROW: Condition = { where: undefined, isExact: true };
const UNKNOWN: Condition = { where: undefined, isExact: false };

const COMPARISONS: Readonly<Record<string, string>> = { eq: "$eq", gt: "$gt", gte: "$gte", lt: "$lt", lte: "$lte", like: "$like", ilike: "$ilike", in: "$in" };

/** The same with its sides changed: `5 < a` is `a > 5`. */
const TURNED: Readonly<Record<string, string>> = { eq: "eq", gt: "lt", gte: "lte", lt: "gt", lte: "gte" };

export function conditionOf(expression: IR.BasicExpression<boolean> | undefined): Condition {
  return expression === undefined ? EVERY_ROW : read(expression);
}

/** All of them hold. */
export function and(conditions: readonly (JsonValue | undefined)[]): JsonValue | undefined {
  const some = conditions.filter((each) => each !== undefined);
  return some.length <= 1 ? some[0] : { $and: some };
}

function read(expression: IR.BasicExpression): Condition {
  if (expression.type === "val") {
    return expression.value === true ? EVERY_ROW : UNKNOWN;
  }
  if (expression.type !== "func") {
    return UNKNOWN;
  }
  const { name, args } = expression;
  switch (name) {
    case "and": {
      const parts = args.map(read);
      return { where: and(parts.map(({ where }) => where)), isExact: parts.every(({ isExact }) => isExact) };
    }
    case "or": {
      const parts = args.map(read);
      // One part that may hold for every row makes the whole hold for every row.
      const isOpen = parts.some(({ where }) => where === undefined);
      return isOpen ? { where: undefined, isExact: parts.some((each) => each === EVERY_ROW) } : { where: { $or: parts.map(({ where }) => where as JsonValue) }, isExact: parts.every(({ isExact }) => isExact) };
    }
    case "not":
      return negated(args[0]);
    case "isNull":
    case "isUndefined": {
      const column = columnOf(args[0]);
      return column === undefined ? UNKNOWN : { where: { [column]: null }, isExact: true };
    }
    default:
      return comparison(name, args);
  }
}

/** Without a value nothing holds for TanStack, its negation neither; on the server the negation does. */
function negated(inner: IR.BasicExpression | undefined): Condition {
  if (inner?.type !== "func") {
    return UNKNOWN;
  }
  const column = columnOf(inner.args[0]) ?? columnOf(inner.args[1]);
  const condition = read(inner);
  if (column === undefined || condition.where === undefined || !condition.isExact) {
    return UNKNOWN;
  }
  const negation = { $not: condition.where };
  const isTest = inner.name === "isNull" || inner.name === "isUndefined";
  return { where: isTest ? negation : { $and: [negation, { [column]: { $exists: true } }] }, isExact: true };
}

function comparison(name: string, args: readonly IR.BasicExpression[]): Condition {
  const [first, second] = args;
  if (first?.type === "val" && second?.type === "ref") {
    const turned = TURNED[name];
    return turned === undefined ? UNKNOWN : comparison(turned, [second, first]);
  }
  const [column, operator] = [columnOf(first), COMPARISONS[name]];
  if (column === undefined || operator === undefined || second?.type !== "val") {
    return UNKNOWN;
  }
  const value = jsonOf(second.value);
  // Nothing is equal to what is not there, or in a list that is none.
  if (value === undefined || value === null || (name === "in" && !Array.isArray(value))) {
    return UNKNOWN;
  }
  return { where: { [column]: name === "eq" ? value : { [operator]: value } }, isExact: true };
}

/** The field that a reference means; `undefined` for what is inside of one. */
function columnOf(expression: IR.BasicExpression | undefined): string | undefined {
  return expression?.type === "ref" && expression.path.length === 1 ? expression.path[0] : undefined;
}

function jsonOf(value: unknown): JsonValue | undefined {
  if (value instanceof Date) {
    return value.toISOString();
  }
  if (Array.isArray(value)) {
    const values = value.map(jsonOf);
    return values.every((each) => each !== undefined) ? values : undefined;
  }
  return value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : undefined;
}

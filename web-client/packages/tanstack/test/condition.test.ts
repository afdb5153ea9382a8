// @vitest-environment node
/** What is asked of the server for what TanStack asks of a collection. */

import { and, eq, gt, ilike, inArray, isNull, lt, not, or, upper, IR } from "@tanstack/db";
import { expect, test } from "vitest";

import { conditionOf } from "../src/condition.js";
import { subsetOf } from "../src/subset.js";

const column = (name: string): IR.PropRef => new IR.PropRef([name]);
type Expression = IR.BasicExpression<boolean>;

const exact: readonly (readonly [string, Expression, unknown])[] = [
  ["eq", eq(column("a"), 1), { a: 1 }],
  ["a literal on the left", lt(5, column("a")), { a: { $gt: 5 } }],
  ["in", inArray(column("a"), ["x", "y"]), { a: { $in: ["x", "y"] } }],
  ["ilike", ilike(column("a"), "%x%"), { a: { $ilike: "%x%" } }],
  ["isNull", isNull(column("a")), { a: null }],
  ["not", not(eq(column("a"), 1)), { $and: [{ $not: { a: 1 } }, { a: { $exists: true } }] }],
  ["not null", not(isNull(column("a"))), { $not: { a: null } }],
  ["and, or", and(gt(column("a"), 1), or(eq(column("b"), true), eq(column("c"), "x"))), { $and: [{ a: { $gt: 1 } }, { $or: [{ b: true }, { c: "x" }] }] }],
  ["a time", gt(column("a"), new Date(0)), { a: { $gt: "1970-01-01T00:00:00.000Z" } }],
];

test.each(exact)("%s is the server's", (_, expression, where) => {
  expect(conditionOf(expression)).toEqual({ where, isExact: true });
});

test("what the server cannot say is left out, so that no row is missed", () => {
  expect(conditionOf(eq(upper(column("a")), "X"))).toEqual({ where: undefined, isExact: false });
  expect(conditionOf(and(eq(column("b"), 1), eq(upper(column("a")), "X")))).toEqual({ where: { b: 1 }, isExact: false });
  expect(conditionOf(or(eq(column("b"), 1), eq(upper(column("a")), "X")))).toEqual({ where: undefined, isExact: false });
  expect(conditionOf(not(eq(upper(column("a")), "X")))).toEqual({ where: undefined, isExact: false });
  expect(conditionOf(eq(new IR.PropRef(["a", "inside"]), 1))).toEqual({ where: undefined, isExact: false });
});

const order = (name: string, direction: "asc" | "desc", nulls: "first" | "last"): IR.OrderBy => [{ expression: column(name), compareOptions: { direction, nulls, stringSort: "lexical" } }];

test("a window is asked for as one where condition and order are the server's", () => {
  expect(subsetOf({ from: "Task" }, { where: eq(column("done"), false), orderBy: order("due", "asc", "first"), limit: 10 })).toEqual([
    { from: "Task", where: { done: false }, orderBy: [{ due: "asc" }], limit: 10 },
  ]);
  expect(subsetOf({ from: "Task", where: { list: "l1" } }, { orderBy: order("due", "desc", "first"), limit: 10 })).toEqual([
    { from: "Task", where: { list: "l1" }, orderBy: [{ due: "desc" }], limit: 10 },
    { from: "Task", where: { $and: [{ list: "l1" }, { due: null }] }, limit: 10 },
  ]);
});

test("a window of anything else is asked for whole", () => {
  expect(subsetOf({ from: "Task" }, { where: eq(upper(column("a")), "X"), orderBy: order("due", "asc", "first"), limit: 10 })).toEqual([{ from: "Task" }]);
  const locale: IR.OrderBy = [{ expression: column("title"), compareOptions: { direction: "asc", nulls: "first", stringSort: "locale" } }];
  expect(subsetOf({ from: "Task" }, { orderBy: locale, limit: 10 })).toEqual([{ from: "Task" }]);
});

test("the next page is its rows, and all that are level with the last one", () => {
  const cursor = { whereFrom: gt(column("due"), "d5"), whereCurrent: eq(column("due"), "d5") };
  expect(subsetOf({ from: "Task" }, { orderBy: order("due", "asc", "first"), limit: 10, cursor })).toEqual([
    { from: "Task", where: { due: { $gt: "d5" } }, orderBy: [{ due: "asc" }], limit: 10 },
    { from: "Task", where: { due: "d5" } },
  ]);
});

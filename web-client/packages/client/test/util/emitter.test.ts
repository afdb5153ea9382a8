import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Emitter } from "../../src/util/emitter.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a listener that throws keeps nobody from hearing, and its error surfaces in a task of its own", () => {
  const emitter = new Emitter<number>();
  const heard: number[] = [];
  emitter.on(() => {
    throw new Error("from a listener");
  });
  const stop = emitter.on((value) => heard.push(value));
  emitter.emit(1);
  expect(heard).toEqual([1]);
  expect(() => vi.runAllTimers()).toThrow("from a listener");
  stop();
  stop();
  emitter.clear();
  emitter.emit(2);
  expect(heard).toEqual([1]);
});

test("the same function added twice is called twice", () => {
  const emitter = new Emitter<number>();
  const heard: number[] = [];
  const listener = (value: number): void => void heard.push(value);
  emitter.on(listener);
  const stop = emitter.on(listener);
  emitter.emit(1);
  stop();
  emitter.emit(2);
  expect(heard).toEqual([1, 1, 2]);
});

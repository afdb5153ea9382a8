/** What a client complains of on the console fails the test that imports this. */

import { afterEach, beforeEach, expect, vi } from "vitest";

const complaints: string[] = [];

beforeEach(() => {
  complaints.length = 0;
  for (const kind of ["error", "warn"] as const) {
    vi.spyOn(console, kind).mockImplementation((...words) => void complaints.push(words.map(String).join(" ")));
  }
});

afterEach(() => {
  vi.restoreAllMocks();
  expect(complaints, "the client complained").toEqual([]);
});

/** Before all tests of a package: what is waited for comes within moments; the deadline is for machines that are busy with something else. */

import { vi } from "vitest";

const waitFor = vi.waitFor.bind(vi);

vi.waitFor = (callback, options = { timeout: 15_000, interval: 20 }) => waitFor(callback, options);

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.tsx"],
    environment: "jsdom",
    testTimeout: 60_000,
    setupFiles: ["../client/test/support/patience.ts"],
  },
});

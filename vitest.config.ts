import { defineConfig } from "vitest/config";

/** One project in Node: the shipped classes run there, and tests that need the platform boot the local runtime. */
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    environment: "node",
    // A boot of the local runtime takes seconds on a busy machine; a hang is still found.
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});

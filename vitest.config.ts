import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{core,connectors,emulator,testkit,apps,examples,bench,sim,tools}/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    setupFiles: ['testkit/src/property-seed.ts'],
    globalSetup: ['testkit/src/global-setup.ts'],
    // Much of a test is waiting for servers and processes: no core is left idle meanwhile.
    maxWorkers: '100%',
    // Limits are for what hangs; how long a test takes on a machine that is busy with others nobody knows.
    testTimeout: 900_000,
    expect: { poll: { timeout: 90_000 } },
    hookTimeout: 900_000,
  },
});

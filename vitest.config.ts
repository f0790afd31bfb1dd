import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{core,connectors,emulator,testkit,apps,examples,bench,sim,tools}/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    setupFiles: ['testkit/src/property-seed.ts'],
    globalSetup: ['testkit/src/global-setup.ts'],
    // Nobody waits so long for a test that ends; every core may be busy with others.
    testTimeout: 180_000,
    // A second is too short where every core is busy.
    expect: { poll: { timeout: 20_000 } },
    hookTimeout: 180_000,
  },
});

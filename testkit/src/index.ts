/** Contract suites, services and faults for tests. */

export * from './api/described-operations.ts';
export * from './contracts/capture.ts';
export * from './contracts/history-fixture.ts';
export * from './contracts/lookup.ts';
export * from './contracts/rows.ts';
export * from './contracts/sound-history.ts';
export * from './contracts/source.ts';
export * from './contracts/store.ts';
export * from './contracts/table-rows.ts';
export * from './contracts/target.ts';
export * from './contracts/target-fixture.ts';
export * from './contracts/target-history.ts';
export * from './postgres.ts';
export { type Browser, chromiumOrSkip } from './services/chromium.ts';
export { kafkaUsers } from './services/kafka.ts';
export * from './services/tcp-proxy.ts';
export * from './services/test-service.ts';
export * from './watched-database.ts';

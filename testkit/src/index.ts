/** Contract suites, services and faults for tests. */
export * from './contracts/store.ts';

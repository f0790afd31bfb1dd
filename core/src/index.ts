/** What connectors, the CLI and the testkit use of the engine. */
export * from './base/clock.ts';
export * from './base/errors.ts';
export * from './base/random.ts';
export * from './base/retry.ts';
export * from './config/config.ts';
export { formatDuration, parseDuration } from './config/duration.ts';
export { configJsonSchema } from './config/json-schema.ts';
export { type LoadOptions, loadConfig, parseConfig } from './config/load-config.ts';
export { configReference } from './config/reference.ts';
export * from './expression/expression.ts';
export * from './model/block.ts';
export * from './model/change.ts';
export * from './model/column-names.ts';
export * from './model/connector.ts';
export * from './model/schema.ts';
export * from './model/value.ts';
export { openStore } from './store/open-store.ts';
export * from './store/store.ts';

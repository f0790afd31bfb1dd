/** What the API answers, for programs in TypeScript: the dashboard is one. */
export type { AuditEntryShape, TokenShape } from './access.ts';
export type { Refusal } from './common.ts';
export type { ConfigurationShape, DiffLine } from './configuration.ts';
export type { BudgetShape, ConnectionShape } from './connection.ts';
export type { OperationShape } from './operation.ts';
export type { ConflictShape, FailureShape } from './record.ts';
export type { OutlineShape, RunShape, StreamShape, SyncDetail, SyncOverviewShape } from './sync.ts';

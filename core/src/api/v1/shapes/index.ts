/** What the API answers, for programs in TypeScript: the dashboard is one. */
export type { AuditEntryShape, MeShape, TokenShape } from './access.ts';
export type { ProblemShape, Refusal } from './common.ts';
export type { ConfigurationShape, DiffLine, VerdictShape } from './configuration.ts';
export type { BudgetShape, ConnectionShape } from './connection.ts';
export type { OperationShape } from './operation.ts';
export type { OrgShape } from './org.ts';
export type { ConflictShape, FailureShape, RecordShape } from './record.ts';
export type { OutlineShape, RunShape, StreamShape, SyncDetail, SyncOverviewShape } from './sync.ts';

import { z } from 'zod';
import { instant, listOf, wentWrong } from './common.ts';

const counts = z.object({
  read: z.number(),
  created: z.number(),
  updated: z.number(),
  unchanged: z.number(),
  deleted: z.number(),
  failed: z.number(),
  dropped: z.number(),
});

export const run = z.object({
  id: z.string(),
  sync: z.string(),
  kind: z.enum(['delta', 'full', 'retry', 'replay']),
  state: z.enum(['running', 'succeeded', 'failed', 'stopped']),
  startedAtMs: instant,
  finishedAtMs: instant.nullable(),
  windowFromMs: instant.nullable().describe('where its window starts, by the clock of the source'),
  windowToMs: instant.nullable(),
  counts,
  error: wentWrong.nullable(),
  heldBy: z.string().nullable().describe('key of the record that keeps the window open'),
});

export const syncOverview = z.object({
  sync: z.string(),
  direction: z.enum(['one-way', 'two-way']),
  from: z.string(),
  to: z.string(),
  live: z.boolean(),
  canRun: z.boolean().describe('false of one that only takes what is pushed to it'),
  health: z.enum(['ok', 'new', 'running', 'attention', 'failing', 'paused']),
  paused: z.boolean(),
  lastRun: run.nullable(),
  lastSuccessAtMs: instant.nullable(),
  openFailures: z.number(),
  openConflicts: z.number(),
  stream: z.object({ state: z.string(), lagMs: z.number().nullable() }).nullable(),
});

export const outline = z.object({
  sync: z.string(),
  direction: z.enum(['one-way', 'two-way']),
  blocks: listOf(
    z.object({
      kind: z.string(),
      title: z.string(),
      connection: z.object({ name: z.string(), type: z.string() }).nullable(),
      lines: listOf(z.string()),
      notes: z.string().nullable(),
    }),
  ),
  fields: listOf(z.object({ target: z.string(), source: z.string(), rule: z.string() })).nullable(),
  settings: z.record(z.string(), z.string()),
  notes: z.string().nullable(),
});

export const stream = z.object({
  stream: z.string(),
  syncs: listOf(z.string()),
  state: z.string(),
  reason: z.string().nullable(),
  nextTryMs: instant.nullable(),
  connected: z.boolean(),
  sinceMs: instant,
  transport: z.string().nullable(),
  lastHeardMs: instant.nullable(),
  lastEventMs: instant.nullable(),
  lagMs: z.number().nullable(),
  waiting: z.number(),
  events: z.number(),
  transactions: z.number(),
  reconnects: z.number(),
  healed: z.object({ lost: z.number(), gap: z.number(), overflow: z.number() }),
  aside: z.record(z.string(), z.string()),
  rereads: listOf(z.string()),
});

export const syncDetail = z.object({
  overview: syncOverview,
  outline,
  checkpoint: z.record(z.string(), z.string()),
  waiting: z.unknown().describe('what it waits for because API calls are short; null when it does not'),
  held: z
    .object({ key: z.string(), message: z.string(), sinceMs: instant, overdue: z.boolean() })
    .nullable()
    .describe('the record that keeps its window open'),
  stream: stream.nullable(),
});

export type RunShape = z.infer<typeof run>;
export type SyncOverviewShape = z.infer<typeof syncOverview>;
export type SyncDetail = z.infer<typeof syncDetail>;
export type OutlineShape = z.infer<typeof outline>;
export type StreamShape = z.infer<typeof stream>;

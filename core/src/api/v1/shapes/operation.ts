import { z } from 'zod';
import { instant, value, wentWrong } from './common.ts';

export const operation = z.object({
  id: z.string(),
  kind: z.enum(['run', 'retry', 'refetch', 'verify', 'replay', 'resolve', 'plan', 'write']),
  sync: z.string(),
  state: z.enum(['running', 'done', 'failed', 'stopped']),
  startedAtMs: instant,
  finishedAtMs: instant.nullable(),
  progress: z.object({ phase: z.string(), rows: z.number(), estimate: z.number().nullable() }).nullable(),
  result: value.describe('what came of it: the report of a run, a verdict, a plan'),
  error: wentWrong.nullable(),
});

export type OperationShape = z.infer<typeof operation>;

import { z } from 'zod';
import { instant, value } from './common.ts';

export const failure = z.object({
  id: z.string(),
  sync: z.string(),
  key: z.string(),
  op: z.enum(['upsert', 'delete']),
  row: z.record(z.string(), value).nullable().describe('as it would be written'),
  code: z.string(),
  message: z.string(),
  remedy: z.string().describe('what to do, in plain words'),
  place: z.string().describe('target, or the step where it went wrong'),
  attempts: z.number(),
  firstAtMs: instant,
  lastAtMs: instant,
  nextAttemptAtMs: instant,
});

export const conflict = z.object({
  id: z.string(),
  sync: z.string(),
  leftKey: z.string(),
  rightKey: z.string(),
  field: z.string().nullable().describe('null: whether the record exists'),
  base: value,
  left: value,
  right: value,
  state: z.enum(['open', 'writing', 'settled']),
  outcome: value,
  why: z.string(),
  atMs: instant,
});

export const choice = z.union([
  z.object({ side: z.string().describe('the connection whose value both get') }).strict(),
  z.object({ value: z.json().describe('a value of your own') }).strict(),
]);

export type FailureShape = z.infer<typeof failure>;
export type ConflictShape = z.infer<typeof conflict>;

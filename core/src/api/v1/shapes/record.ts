import { z } from 'zod';
import { instant, listOf, value } from './common.ts';

const fields = z.record(z.string(), value);

export const failure = z.object({
  id: z.string(),
  sync: z.string(),
  key: z.string(),
  op: z.enum(['upsert', 'delete']),
  row: fields.nullable().describe('as it would be written'),
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

export const record = z.object({
  sync: z.string(),
  key: z.string(),
  sides: listOf(
    z.object({
      name: z.string(),
      row: fields.nullable().describe('null: there is none, or it could not be read'),
      error: z.string().nullable().describe('why it could not be read'),
    }),
  ).describe('as each side holds it now'),
  story: listOf(
    z.object({
      atMs: instant.describe(
        "of an event and of what was written: the source's own time; of a record that was found gone: when it was marked as deleted",
      ),
      kind: z.enum(['event', 'decision', 'agreed', 'written', 'refused']),
      title: z.string(),
      detail: z.string().nullable(),
      values: fields,
    }),
  ).describe('the newest first'),
  lookedThrough: z.string().nullable().describe('how much of the journal was looked through; null: all of it, or there is none'),
});

export type RecordShape = z.infer<typeof record>;
export type FailureShape = z.infer<typeof failure>;
export type ConflictShape = z.infer<typeof conflict>;

import { captureOfSide, captureOfSource, checkSideCapture, checkSourceCapture } from '@tidemark/core';
import { z } from 'zod';

export const sqliteConfig = z.strictObject({
  path: z
    .string()
    .min(1)
    .refine((path) => !path.startsWith(':memory:') && !path.includes('\0'), 'must be the path of a file')
    .describe('The database file; relative paths start at the configuration file. It is made when it is not there.'),
  tablePrefix: z
    .string()
    .refine((prefix) => !prefix.includes('\0'), 'must not contain NUL')
    .default('')
    .describe('Put before the name of every table that is written'),
  busyTimeoutMs: z
    .number()
    .int()
    .min(0)
    .max(600_000)
    .default(5000)
    .describe('How long to wait for the lock that another program holds'),
});
export type SqliteConfig = z.output<typeof sqliteConfig>;

export const sqliteFrom = z
  .strictObject({
    table: z.string().min(1).optional().describe('Table or view to read'),
    query: z.string().min(1).optional().describe('A SELECT to read instead of a table; needs `key`'),
    key: z
      .union([z.string(), z.array(z.string()).min(1)])
      .optional()
      .describe('Column or columns that identify a row; by default the primary key'),
    watermark: z
      .string()
      .optional()
      .describe('Column that grows with every change of a row. Without it every run reads everything.'),
    ...captureOfSource,
  })
  .refine((from) => (from.table === undefined) !== (from.query === undefined), 'needs either table or query')
  .superRefine(checkSourceCapture);
export type SqliteFrom = z.output<typeof sqliteFrom>;

export const sqliteTo = z.strictObject({ table: z.string().min(1).describe('Table to write; it is made when it is not there') });
export type SqliteTo = z.output<typeof sqliteTo>;

export const sqliteLookup = z.strictObject({ table: z.string().min(1).describe('Table or view in which rows are found') });
export type SqliteLookup = z.output<typeof sqliteLookup>;

export const sqliteSide = z
  .strictObject({
    table: z.string().min(1).describe('Table to keep in sync'),
    key: z
      .union([z.string(), z.array(z.string()).min(1)])
      .optional()
      .describe('Column or columns that identify a row; by default the primary key'),
    watermark: z
      .string()
      .optional()
      .describe('Column that grows with every change of a row; deletes are then seen by full runs only'),
    ...captureOfSide,
  })
  .superRefine(checkSideCapture);
export type SqliteSideSpec = z.output<typeof sqliteSide>;

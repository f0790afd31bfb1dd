import { captureOfSide, captureOfSource, checkSideCapture, checkSourceCapture } from '@tidemark/core';
import { z } from 'zod';

export const postgresConfig = z.strictObject({
  url: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'begins with postgres://')
    .meta({ secret: true })
    .describe('postgres://user:password@host:5432/database. sslmode, sslrootcert and application_name are understood.'),
  schema: z.string().min(1).default('public').describe('Schema of the tables, and of the table of checkpoints.'),
  tablePrefix: z.string().default('').describe('Put before the name of every table that is written, e.g. `sf_`.'),
  ca: z
    .string()
    .optional()
    .describe('File with the certificate (PEM) of the authority that signed the server’s; sslrootcert in the url does the same.'),
  poolMax: z.int().min(2).max(100).default(10).describe('Most connections to this database at once.'),
});
export type PostgresConfig = z.output<typeof postgresConfig>;

const names = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]);

export const postgresFrom = z
  .strictObject({
    table: z.string().min(1).optional().describe('Table or view to read, in the schema of the connection'),
    query: z
      .string()
      .min(1)
      .optional()
      .describe('A SELECT to read instead of a table. Trusted: it runs with the rights of the connection.'),
    key: names.optional().describe('Column or columns that identify a row. Default: the primary key.'),
    watermark: z
      .string()
      .min(1)
      .optional()
      .describe('Column that grows with every change: a timestamp, or a number. Without it every run reads everything.'),
    ...captureOfSource,
  })
  .refine((from) => (from.table === undefined) !== (from.query === undefined), 'takes either table or query')
  .refine((from) => from.query === undefined || from.key !== undefined, 'a query needs `key`')
  .superRefine(checkSourceCapture);
export type PostgresFrom = z.output<typeof postgresFrom>;

export const postgresTo = z.strictObject({
  table: z.string().min(1).describe('Table to write; it is created and widened as needed'),
  schema: z.string().min(1).optional().describe('Its schema, which is created as needed; default: that of the connection'),
});
export type PostgresTo = z.output<typeof postgresTo>;

export const postgresLookup = z.strictObject({
  table: z.string().min(1).describe('Table or view in which rows are found, in the schema of the connection'),
});
export type PostgresLookup = z.output<typeof postgresLookup>;

export const postgresSide = z
  .strictObject({
    table: z.string().min(1).describe('Table to keep in sync, in the schema of the connection'),
    key: names.optional().describe('Column or columns that identify a row. Default: the primary key.'),
    watermark: z
      .string()
      .min(1)
      .optional()
      .describe('Column that grows with every change: a timestamp, or a number; deletes are then seen by full runs only'),
    ...captureOfSide,
  })
  .superRefine(checkSideCapture);
export type PostgresSideSpec = z.output<typeof postgresSide>;

import { type DatasetSchema, parseDuration } from '@tidemark/core';
import { z } from 'zod';

export const queueConfig = z
  .strictObject({
    path: z
      .string()
      .min(1)
      .refine((path) => !path.startsWith(':memory:') && !path.includes('\0'), 'must be the path of a file')
      .optional()
      .describe('A SQLite file; relative paths start at the configuration file. It is made when it is not there.'),
    url: z
      .string()
      .regex(/^(postgres(ql)?|rediss?|kafkas?):\/\//, 'begins with postgres://, redis:// (rediss://) or kafka:// (kafkas://)')
      .meta({ secret: true })
      .optional()
      .describe(
        'In place of path: postgres://user:password@host:5432/database, redis://user:password@host:6379/0 (rediss:// with TLS), or kafka://user:password@host:9092,another:9092?sasl=scram-sha-512 (kafkas:// with TLS; without a login where there is none)',
      ),
    schema: z.string().min(1).default('public').describe('With PostgreSQL: schema of the tables that keep the queues'),
    prefix: z
      .string()
      .regex(/^[\w-]+$/, 'is letters, digits, - and _')
      .default('tidemark')
      .describe('With Redis or Kafka: how keys or topics begin; installations that share a server need one each'),
    keep: z
      .string()
      .refine((text) => parseDuration(text) !== null, 'is not a duration: write it like 12h or 7d')
      .transform((text) => parseDuration(text)!)
      .default(0)
      .describe(
        'Messages are kept for at least so long after they came, e.g. 7d, so that `tidemark run <sync> --full` brings them again; in any case until every sync that reads the queue has acknowledged them',
      ),
  })
  .refine(({ path, url }) => (path === undefined) !== (url === undefined), 'needs either path or url');
export type QueueConfig = z.output<typeof queueConfig>;

const name = z.string().min(1).max(200);

export const queueFrom = z.strictObject({ queue: name.describe('Name of the queue to read') });
export type QueueFrom = z.output<typeof queueFrom> & {
  /** Of an inbox, which there is before anything has been put into it. */
  readonly schema?: DatasetSchema;
};

export const queueTo = z.strictObject({
  queue: name.describe('Name of the queue to append to; it is made when it is not there'),
});
export type QueueTo = z.output<typeof queueTo>;

import { z } from 'zod';

export const mongodbConfig = z.strictObject({
  url: z
    .string()
    .regex(/^mongodb(\+srv)?:\/\//, 'begins with mongodb:// or mongodb+srv://')
    .meta({ secret: true })
    .describe('mongodb://user:password@host:27017/database'),
  database: z.string().min(1).optional().describe('Where the url names none'),
  selectMs: z.int().min(1).default(5000).describe('How long a server may take to be found, in milliseconds'),
  decimals: z
    .enum(['decimal128', 'double'])
    .default('decimal128')
    .describe(
      'How decimals are kept: exactly, or as doubles for servers and programs that know nothing else (what a double cannot hold stays a text)',
    ),
});
export type MongodbConfig = z.output<typeof mongodbConfig>;

export const mongodbTo = z.strictObject({
  collection: z
    .string()
    .min(1)
    .refine(
      (name) => !name.includes('$') && !name.includes('\0') && !name.startsWith('system.'),
      'is not the name of a collection',
    )
    .refine((name) => !name.startsWith('_tidemark_'), 'is a name that Tidemark keeps for itself')
    .describe('The collection to write; it is made when it is not there'),
});
export type MongodbTo = z.output<typeof mongodbTo>;

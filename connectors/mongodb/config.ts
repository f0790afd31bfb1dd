import { fieldTypes } from '@tidemark/core';
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

const collection = z
  .string()
  .min(1)
  .refine((name) => !name.includes('$') && !name.includes('\0') && !name.startsWith('system.'), 'is not the name of a collection')
  .refine((name) => !name.startsWith('_tidemark_'), 'is a name that Tidemark keeps for itself');

const key = z.string().min(1).default('_id').describe('Field that identifies a document; it needs a unique index');
const fieldType = z.enum(fieldTypes);

export const mongodbFrom = z.strictObject({
  collection: collection.describe('The collection to read'),
  key,
  watermark: z
    .string()
    .min(1)
    .optional()
    .describe('Field with the time of the last change, with an index. Absent: every run reads everything'),
  fields: z
    .record(z.string(), fieldType)
    .optional()
    .describe('Fields of the documents and their types. Absent: those of the first and the newest documents'),
});
export type MongodbFrom = z.output<typeof mongodbFrom>;

export const mongodbTo = z.strictObject({
  collection: collection.describe('The collection to write; it is made when it is not there'),
  validate: z
    .boolean()
    .default(false)
    .describe('Has the server refuse values of other types in the fields of the sync, whoever writes them ($jsonSchema)'),
});
export type MongodbTo = z.output<typeof mongodbTo>;

export const mongodbLookup = z.strictObject({
  collection: collection.describe('The collection in which documents are found'),
  types: z
    .record(z.string(), fieldType)
    .optional()
    .describe('Fields of the documents and their types. Absent: those of the first and the newest documents'),
});
export type MongodbLookup = z.output<typeof mongodbLookup>;

export const mongodbSide = z.strictObject({
  collection: collection.describe('The collection to keep in sync'),
  key,
  watermark: z
    .string()
    .min(1)
    .optional()
    .describe('Field that your programs set to the time of a change, with an index. Absent: every run compares everything'),
  fields: z
    .record(z.string(), fieldType)
    .optional()
    .describe('Fields and their types, where documents that are there do not show them'),
});
export type MongodbSideSpec = z.output<typeof mongodbSide>;

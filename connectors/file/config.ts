import { fieldTypes } from '@tidemark/core';
import { z } from 'zod';

const fieldType = z.enum(fieldTypes);

export const fileConfig = z.strictObject({
  folder: z.string().default('.').describe('Where the files are; relative to the configuration'),
});
export type FileConfig = z.output<typeof fileConfig>;

const place = {
  file: z.string().min(1).describe('Name of the file in the folder'),
  format: z.enum(['csv', 'jsonl']).optional().describe('Without it, by the ending: .csv, .tsv, .jsonl, .ndjson'),
  delimiter: z.string().min(1).optional().describe('Between the values of a CSV line; a comma, or a tab in .tsv'),
};

export const fileFrom = z.strictObject({
  ...place,
  key: z.union([z.string(), z.array(z.string()).min(1)]).describe('Field or fields that identify a record'),
  columns: z.array(z.string().min(1)).min(1).optional().describe('Names of the columns, for a CSV file without a header line'),
  types: z.record(z.string(), fieldType).default({}).describe('Types of fields that are not text (CSV) or not what JSON says'),
  watermark: z.string().optional().describe('Datetime field with the moment of the last change: old never overwrites new'),
});
export type FileFrom = z.output<typeof fileFrom>;

export const fileTo = z.strictObject(place);
export type FileTo = z.output<typeof fileTo>;

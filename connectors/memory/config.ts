import { fieldTypes } from '@tidemark/core';
import { z } from 'zod';

const fieldType = z.enum(fieldTypes);

export const memoryConfig = z.strictObject({
  datasets: z
    .record(
      z.string(),
      z.strictObject({
        key: z.union([z.string(), z.array(z.string()).min(1)]).describe('Field or fields that identify a record'),
        watermark: z.string().optional().describe('Datetime field with the moment of the last change'),
        fields: z.record(z.string(), fieldType).describe('Field names and their types'),
        rows: z.array(z.record(z.string(), z.json())).default([]),
      }),
    )
    .default({})
    .describe('Records to begin with. They live as long as the process.'),
});
export type MemoryConfig = z.output<typeof memoryConfig>;

export const memoryFrom = z.strictObject({ dataset: z.string().describe('Name of the dataset to read') });
export type MemoryFrom = z.output<typeof memoryFrom>;

export const memoryTo = z.strictObject({ dataset: z.string().describe('Name of the dataset to write') });
export type MemoryTo = z.output<typeof memoryTo>;

import { z } from 'zod';
import { oneOrMoreNames, syncSchema } from './schema.ts';

/** What a two-way sync holds: `between` instead of `from` and `to`, and rules for what both sides changed. */

const policy = z.string().min(1).meta({
  description:
    'Who is right when both sides changed a field: latest, manual, the name (or type) of the connection that wins, other for the second one, or a module of yours (./decide.ts)',
});

export const pairFieldSchema = z.union([
  z.string().min(1),
  z.strictObject({
    field: z.string().min(1).meta({ description: 'The field of the first side' }),
    to: z.string().min(1).optional().meta({ description: 'The only side to which changes flow: the name of its connection' }),
    conflicts: policy.optional(),
  }),
]);

/** What each side of `between` holds besides what its connector says. */
export const sideExtras = {
  connection: z.string().min(1).meta({ description: 'Name of a connection' }),
  link: z.string().min(1).optional().meta({
    description: "The field in which this side keeps the other side's key: unique, and filled by Tidemark",
  }),
  notes: syncSchema.shape.notes,
};

const { forEach, every, cron, timezone, startDelay, priority, full, retry, live, notes } = syncSchema.shape;

export const pairingSchema = z.strictObject({
  between: z
    .array(z.record(z.string(), z.unknown()))
    .length(2)
    .meta({ description: 'The two sides; what is changed on one reaches the other' }),
  fields: z
    .record(z.string(), pairFieldSchema)
    .refine((fields) => Object.keys(fields).length > 0, 'names no field')
    .meta({ description: 'Field of the second side: field of the first side' }),
  match: oneOrMoreNames(
    'Fields (of the second side) by which records that were never linked are found to be the same',
  ).optional(),
  conflicts: policy.default('latest'),
  deletes: z.enum(['propagate', 'ignore']).default('propagate').meta({
    description: 'What a delete on one side does on the other: the same, or nothing. Deleted and changed at once is a conflict',
  }),
  ...{ forEach, every, cron, timezone, startDelay, priority, full, retry, live, notes },
});

export type PairingInput = z.output<typeof pairingSchema>;

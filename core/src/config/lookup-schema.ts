import { z } from 'zod';
import { connectionRef, duration } from './schema.ts';

/** What a `lookup:` step takes besides what its connector asks for to say where to look. */
export const lookupExtras = {
  connection: connectionRef,
  key: z.string().min(1).meta({ description: 'The field there by whose value records are found' }),
  by: z.string().min(1).meta({ description: "The field here that holds this value, or '= JSONata expression'" }),
  fields: z
    .record(z.string().min(1), z.string().min(1))
    .optional()
    .meta({ description: 'What is taken from the record found, as field here: field there' }),
  match: z
    .union([z.string().min(1), z.record(z.string().min(1), z.string().min(1))])
    .optional()
    .meta({
      description:
        'Which of several found records is meant: fields that have to be equal, as field there: field here, or a JSONata expression over found.Field and record.Field',
    }),
  missing: z.enum(['keep', 'drop', 'fail']).default('keep').meta({
    description:
      'A record for which none is found: keep lets it go on with nulls, drop takes it out like a filter, fail makes it a failure that is retried',
  }),
  several: z.enum(['fail', 'first']).default('fail').meta({
    description:
      'A record for which several are found: fail makes it a failure, first takes the first in the order of the other system',
  }),
  batch: z.int().min(1).max(10_000).default(100).meta({ description: 'Most values asked for at once' }),
  cache: duration('What was found is taken as it was for so long, e.g. 5m; unless told, each batch of records asks anew').default(
    0,
  ),
};

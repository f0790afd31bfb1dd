import { z } from 'zod';
import { callBudget } from '../model/call-budget.ts';
import { parseDuration } from './duration.ts';
import { duration } from './schema.ts';

/** What may be set for one org alone; all else is as the configuration says for all of them. */
export const orgOverrides = z.strictObject({
  every: duration('How often its syncs run, e.g. 5m', { minMs: 1000 }).optional(),
  // As the user wrote it: the connection's own schema reads it, among what all orgs have.
  budget: callBudget.optional(),
  paused: z.array(z.string().min(1)).optional(),
});

/** As it was written, which is how it is kept. */
export type OrgOverrides = z.input<typeof orgOverrides>;

export function everyMsOf({ every }: OrgOverrides): number | null {
  return every === undefined ? null : parseDuration(every);
}

import { z } from 'zod';
import { instant, listOf } from './common.ts';

export const budget = z.object({
  connection: z.string(),
  share: z.number(),
  reserve: z.number(),
  ours: z.number(),
  byPriority: z.record(z.string(), z.number()),
  system: z.object({ used: z.number(), max: z.number(), asOfMs: instant }),
  perHour: z.number(),
  spentAtMs: instant.nullable().describe('when our share will be used up at this pace; null when it lasts for a day'),
  waiting: listOf(z.object({ priority: z.string(), untilMs: instant })),
});

export const connection = z.object({
  name: z.string(),
  type: z.string(),
  notes: z.string().nullable(),
  usedBy: listOf(z.string()).describe('syncs'),
  budget: budget.nullable(),
});

export type ConnectionShape = z.infer<typeof connection>;
export type BudgetShape = z.infer<typeof budget>;

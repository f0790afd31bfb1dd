import { z } from 'zod';

/** Nobody adds to what is answered. */
export function listOf<Each extends z.ZodType>(each: Each) {
  return z.array(each).readonly();
}

/** Epoch ms. */
export const instant = z.number().describe('milliseconds since 1970, UTC');
export const refusal = z.object({
  error: z.object({
    code: z.string().describe('stable, for programs'),
    message: z.string().describe('what is wrong'),
    hint: z.string().optional().describe('what to do about it'),
  }),
});
export const wentWrong = z.object({ code: z.string(), message: z.string(), hint: z.string().optional() });
export const problem = z.object({
  place: z.string(),
  message: z.string(),
  hint: z.string().optional(),
  severity: z.enum(['error', 'warning']),
});
/** Any JSON. */
export const value = z.unknown().describe('any JSON value');
export const done = z.object({ done: z.literal(true) });

/** How many of a list, the newest first. */
export const limit = z.coerce.number().int().min(1).max(1000).default(100);
/** Ids that the store gives out: digits, and no more of them than it can count. */
export const storeId = z.string().regex(/^\d{1,15}$/, 'is no id');
export const storeIds = z.array(storeId).min(1).max(1000);
export const syncName = z.object({ sync: z.string().min(1).max(200) });
export type ProblemShape = z.infer<typeof problem>;
export type Refusal = z.infer<typeof refusal>;

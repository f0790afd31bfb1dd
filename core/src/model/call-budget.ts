import { z } from 'zod';

/** How many of a system's calls within its window: a number, or a share (0 to 1) of all that it allows. */
export type CallAmount = { readonly calls: number } | { readonly share: number };

function calls(description: string) {
  return z
    .union([z.int().nonnegative(), z.string().regex(/^\d+(\.\d+)?\s*%$/, 'is a number of calls, or a share such as 50%')])
    .transform((value): CallAmount => (typeof value === 'number' ? { calls: value } : { share: Number.parseFloat(value) / 100 }))
    .refine((value) => !('share' in value) || value.share <= 1, { message: 'is more than all of them' })
    .meta({ description });
}

/** What a connection to a system that counts calls takes as `budget:`. */
export const callBudget = z
  .strictObject({
    share: calls('Most calls of ours within 24 hours: a number, or a share of what the org allows')
      .refine((value) => ('share' in value ? value.share : value.calls) > 0, { message: 'has to be more than none' })
      .prefault('50%'),
    reserve: calls(
      'Calls of these, and of what the org has left, that only live work may use: everything else waits before it touches them',
    ).prefault('10%'),
  })
  .refine(({ share, reserve }) => !('calls' in share && 'calls' in reserve) || reserve.calls < share.calls, {
    message: 'is no less than share, so that nothing but live work would ever be done',
    path: ['reserve'],
  })
  .refine(({ share, reserve }) => !('share' in share && 'share' in reserve) || reserve.share < share.share, {
    message: 'is no less than share, so that nothing but live work would ever be done',
    path: ['reserve'],
  });
export type BudgetRules = z.output<typeof callBudget>;

/** What a system told of the calls of all its clients within its window. */
export interface CallUsage {
  readonly used: number;
  readonly max: number;
}

/** Asked before each call to a system, and told after it. Costs nothing per record. */
export interface CallBudget {
  /** @throws {OverBudgetError} calls are short, and this one is not for the most urgent work. */
  admit(): Promise<void>;
  /** Once for each call that was admitted. Null when there was no reply, or it did not tell. */
  ended(usage: CallUsage | null): void;
  /** The system refuses calls because none are left, whatever it said before. */
  exhausted(): void;
  /** As last told. */
  usage(): CallUsage | null;
}

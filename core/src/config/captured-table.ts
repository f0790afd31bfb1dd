import { z } from 'zod';

/** What databases whose tables may be captured accept alike. The words `table`, `query` and `watermark` are each one's own. */

/** Belongs to a `from:`. */
export const captureOfSource = {
  capture: z
    .boolean()
    .optional()
    .describe(
      'Reads what changed from a change log that triggers write, deletes included. `tidemark schema apply` makes both; takes no watermark.',
    ),
  own: z
    .enum(['include', 'ignore'])
    .optional()
    .describe('With capture: whether what only syncs of Tidemark have written counts as a change; include unless told otherwise'),
};

/** Belongs to a side of a two-way sync. */
export const captureOfSide = {
  capture: z
    .boolean()
    .default(true)
    .describe('Reads what changed, deletes included, from a change log that triggers write; `tidemark schema apply` makes both'),
};

interface CaptureInput {
  readonly table?: string | undefined;
  readonly watermark?: string | undefined;
  readonly capture?: boolean | undefined;
  readonly own?: string | undefined;
}

/** For `superRefine` of a `from:`. */
export function checkSourceCapture({ table, watermark, capture, own }: CaptureInput, context: z.RefinementCtx): void {
  const refuse = (key: keyof CaptureInput, message: string) => context.addIssue({ code: 'custom', path: [key], message });
  if (capture && table === undefined) refuse('capture', 'needs a table, not a query');
  if (capture && watermark !== undefined) refuse('watermark', 'is not needed with capture, which tells of every change');
  if (!capture && own !== undefined) refuse('own', 'needs capture, which tells who wrote');
}

/** For `superRefine` of a side. */
export function checkSideCapture({ watermark, capture }: CaptureInput, context: z.RefinementCtx): void {
  if (!capture || watermark === undefined) return;
  const message = 'takes capture: false, because a capture tells of every change';
  context.addIssue({ code: 'custom', path: ['watermark'], message });
}

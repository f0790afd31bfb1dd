import type { Item, StepFailure } from './steps.ts';

/** What a step threw on one record, as a failure. JSONata throws plain objects with a code; a user's function throws anything. */
export function failureOf(item: Item, place: string, error: unknown): StepFailure {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return {
    ...item,
    code: typeof code === 'string' ? code : 'step_failed',
    message: typeof message === 'string' ? message : String(error),
    place,
  };
}

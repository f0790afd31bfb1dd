import type { Problem } from '../base/errors.ts';

type Found = Pick<Problem, 'message' | 'hint'>;

/** What is wrong at one place: what keeps a sync from running, then what does not. */
export function problemsAt(place: string, errors: readonly Found[], warnings: readonly Found[]): Problem[] {
  return [
    ...errors.map(({ message, hint }): Problem => ({ place, severity: 'error', message, hint })),
    ...warnings.map(({ message, hint }): Problem => ({ place, severity: 'warning', message, hint })),
  ];
}

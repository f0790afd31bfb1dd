import { z } from 'zod';
import { listOf, problem } from './common.ts';

export const diffLine = z.object({ kind: z.enum(['same', 'added', 'removed']), text: z.string() });
export const configuration = z.object({
  file: z.string(),
  text: z.string(),
  /** Names this text: a change is taken over only where it still is the one that was edited. */
  version: z.string(),
  canEdit: z.boolean().describe('false where the process may not write the file'),
});
export const verdict = z.object({
  ok: z.boolean(),
  problems: listOf(problem),
  diff: listOf(diffLine),
  added: listOf(z.string()).describe('syncs'),
  removed: listOf(z.string()),
  changed: listOf(z.string()),
});

export type ConfigurationShape = z.infer<typeof configuration>;
export type VerdictShape = z.infer<typeof verdict>;
export type DiffLine = z.infer<typeof diffLine>;

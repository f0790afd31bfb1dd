import { z } from 'zod';

export const consoleConfig = z.strictObject({});
export type ConsoleConfig = z.output<typeof consoleConfig>;

export const consoleTo = z.strictObject({
  message: z
    .string()
    .default('{$key} {$op}')
    .describe(
      'Text of each line, with `{Field}` for a value of the record, `{$key}` for its key and `{$op}` for upsert or delete',
    ),
  stream: z
    .enum(['stdout', 'stderr'])
    .default('stdout')
    .describe('Where lines go; stderr when standard output belongs to something else, such as the answer of `--json`'),
});
export type ConsoleTo = z.output<typeof consoleTo>;

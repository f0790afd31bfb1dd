import { ConfigError, parseConfig } from '@tidemark/core';
import { UsageError } from '../usage-error.ts';

/** What we write must pass our own check, else the mistake is ours. */
export function checkOwnWork(text: string, options: Parameters<typeof parseConfig>[1]): void {
  try {
    parseConfig(text, options);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new UsageError(`these settings do not go together: ${error.message}`, {
      hint: 'change what it is made of, or write the file by hand',
    });
  }
}

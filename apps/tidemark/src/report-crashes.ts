import { writeSync } from 'node:fs';
import { inspect } from 'node:util';
import { scrub } from '@tidemark/core';

/** What nobody catches ends the process, as it does anyway. What is said of it is masked like everything else (P10). */
export function reportCrashes(): void {
  process.on('uncaughtException', (error) => {
    writeSync(process.stderr.fd, `${scrub(inspect(error))}\n`);
    process.exit(1);
  });
}

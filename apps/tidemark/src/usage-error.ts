import { SyncError } from '@tidemark/core';

/** The command was not called as it can be: exit code 2. */
export class UsageError extends SyncError {
  readonly code = 'usage';
}

/** What a module of the user's own imports, by the name of the published package: `import { TransientError } from 'tidemark'`. */
export {
  AccessDeniedError,
  CheckpointExpiredError,
  NotConnectedError,
  RateLimitedError,
  RequestRefusedError,
  TransientError,
} from './base/errors.ts';
export type { Log } from './model/log.ts';
export type * from './model/user-modules.ts';
export type { FieldType, FieldValue, Row } from './model/value.ts';

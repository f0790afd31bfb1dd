import {
  AccessDeniedError,
  InvariantError,
  NotConnectedError,
  OwnershipLostError,
  RequestRefusedError,
  SchemaChangedError,
  type SyncError,
  TransientError,
  UnexpectedReplyError,
} from '@tidemark/core';
import type { Fault, FaultCode } from './fault.ts';

const classes: Readonly<Record<FaultCode, new (message: string, options: { hint?: string; cause?: unknown }) => SyncError>> = {
  access_denied: AccessDeniedError,
  invariant: InvariantError,
  not_connected: NotConnectedError,
  ownership_lost: OwnershipLostError,
  request_refused: RequestRefusedError,
  schema_changed: SchemaChangedError,
  transient: TransientError,
  unexpected_reply: UnexpectedReplyError,
};

/** Our error for what the worker said went wrong. Errors themselves lose their class between threads. */
export function errorOf(fault: Fault): SyncError {
  return new classes[fault.code](fault.message, fault.hint === undefined ? {} : { hint: fault.hint });
}

import {
  AccessDeniedError,
  NotConnectedError,
  type Rejection,
  RequestRefusedError,
  SyncError,
  TransientError,
} from '@tidemark/core';
import { MongoAPIError, MongoNetworkError, MongoParseError, MongoServerError, MongoServerSelectionError } from 'mongodb';

const RIGHTS = 'Grant the user readWrite on the database, or give another user in the url.';

/**
 * What the engine does next.
 * @see MongoDB manual, "Error Codes"
 */
export function faultOf(error: unknown): unknown {
  if (error instanceof SyncError || !(error instanceof Error)) return error;
  const options = { cause: error };
  if (error instanceof MongoServerSelectionError) {
    const hint = 'Is MongoDB running at the hosts of the url, and do they answer by the names in its replica set?';
    // Behind the search for a server may be one that refuses us.
    return isLogin(error.cause)
      ? denied(error)
      : new NotConnectedError(`no server was found: ${error.message}`, { ...options, hint });
  }
  if (isLogin(error)) return denied(error);
  if (error instanceof MongoNetworkError) return new NotConnectedError(error.message, options);
  if (error instanceof MongoServerError) {
    if (error.code === 13) return new AccessDeniedError(error.message, { ...options, hint: RIGHTS });
    if (error.hasErrorLabel('RetryableWriteError') || error.hasErrorLabel('TransientTransactionError'))
      return new TransientError(error.message, options);
    if ([50, 91, 112, 189, 10107, 11600, 11602, 13435, 13436, 24].includes(Number(error.code)))
      return new TransientError(error.message, options);
    return new RequestRefusedError(error.message, options);
  }
  if (error instanceof MongoParseError || error instanceof MongoAPIError) return new RequestRefusedError(error.message, options);
  return error;
}

/** @throws what the engine acts upon */
export async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw faultOf(error);
  }
}

function isLogin(error: unknown): boolean {
  return error instanceof MongoServerError && (error.code === 18 || error.code === 8000);
}

function denied(error: Error): AccessDeniedError {
  const hint = 'Check user, password and authSource in the url.';
  return new AccessDeniedError('the server refuses this user and password', { cause: error, hint });
}

export const DUPLICATE_KEY = 11000;
export const NAMESPACE_NOT_FOUND = 26;
export const NAMESPACE_EXISTS = 48;
export const TOO_LARGE: Rejection = { code: '10334', message: 'the document would be larger than the 16 MB that MongoDB takes' };

/** What the server says of a document: its fields, its size, a unique index, a validator. */
const ABOUT_A_DOCUMENT = new Set([2, 14, 52, 57, 66, 121, 10334, DUPLICATE_KEY, 16755, 17280, 17419, 17420]);

/** Why a single document was refused (P2); null when the error is about more than that. */
export function rejectionOf(error: unknown): Rejection | null {
  const told = error instanceof SyncError ? error.cause : error;
  if (told instanceof MongoServerError && ABOUT_A_DOCUMENT.has(Number(told.code))) {
    return { code: String(told.code), message: told.message };
  }
  return isTooLarge(told) ? TOO_LARGE : null;
}

/** The driver measures before it sends, and BSON has no room for more than a little above. */
export function isTooLarge(error: unknown): boolean {
  return error instanceof Error && (/larger than the maximum size/i.test(error.message) || error instanceof RangeError);
}

import { SalesforceError } from '../org/types.ts';
import type { ApiReply } from './api-types.ts';

/** An error reply of a data resource: an array, one entry per error. */
export function errorReply(error: SalesforceError): ApiReply {
  const { message, errorCode, fields } = error;
  return { status: error.httpStatus, body: [fields.length > 0 ? { message, errorCode, fields } : { message, errorCode }] };
}

export const notFound = () => new SalesforceError('NOT_FOUND', 'The requested resource does not exist', { httpStatus: 404 });

export const badRequest = (errorCode: string, message: string, fields: readonly string[] = []) =>
  new SalesforceError(errorCode, message, { fields });

/** One failed record of a Collections reply; here the code is called `statusCode`. */
export function recordError(error: SalesforceError): { statusCode: string; message: string; fields: readonly string[] } {
  return { statusCode: error.errorCode, message: error.message, fields: error.fields };
}

/** What went wrong, as the API would put it. Anything that is not a `SalesforceError` is a bug here, and is told as one. */
export function asSalesforceError(error: unknown): SalesforceError {
  if (error instanceof SalesforceError) return error;
  process.stderr.write(
    `emulator: unexpected error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return new SalesforceError(
    'UNKNOWN_EXCEPTION',
    'An unexpected error occurred. Please include this ErrorId if you contact support',
    {
      httpStatus: 500,
    },
  );
}

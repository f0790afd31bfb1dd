import { SalesforceError, unexpectedError } from '../org/types.ts';
import { numberParameter, textParameter } from './fault-list.ts';
import type { FiredFault } from './types.ts';

/** The error that a fault names; unless told otherwise that of a server which does not know what happened. */
export function faultError(fault: FiredFault, httpStatus: number): SalesforceError {
  const fields = textParameter(fault, 'fields', '');
  return new SalesforceError(
    textParameter(fault, 'code', unexpectedError.errorCode),
    textParameter(fault, 'message', unexpectedError.message),
    { httpStatus: numberParameter(fault, 'status', httpStatus), fields: fields === '' ? [] : fields.split(',') },
  );
}

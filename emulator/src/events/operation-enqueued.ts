import type { WriteOutcome } from '../org/types.ts';

/**
 * The `errors` of a save result that succeeded: none for a record; for a platform event the UUID by which its subscribers
 * know it, in the guise of an error (Platform Events Developer Guide, "Publish Event Messages with Salesforce APIs").
 */
export function operationEnqueued({ eventUuid }: WriteOutcome): { statusCode: string; message: string; fields: string[] }[] {
  return eventUuid === undefined ? [] : [{ statusCode: 'OPERATION_ENQUEUED', message: eventUuid, fields: [] }];
}

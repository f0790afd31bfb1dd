import type { ApiRequest } from './api-types.ts';
import type { EmulatorContext } from './context.ts';
import type { RecordDetails } from './errors.ts';
import { wantsRecordDetails } from './write-options.ts';

/** What a request wants to know of the records that it duplicates: nothing, or all that its user may see of them. */
export function detailsFor(
  request: Pick<ApiRequest, 'headers' | 'transaction'> & { version: string },
  { org }: Pick<EmulatorContext, 'org'>,
): RecordDetails | undefined {
  if (!wantsRecordDetails(request)) return undefined;
  return (object, id) => org.retrieve(object, id, request.version, undefined, { transaction: request.transaction });
}

import { type DuplicatesFound, SalesforceError, unexpectedError } from '../org/types.ts';
import type { ApiReply } from './api-types.ts';

/** An error reply of a data resource: an array, one entry per error. */
export function errorReply(error: SalesforceError, version = versionDefault, details?: RecordDetails): ApiReply {
  const { message, errorCode, fields, duplicates } = error;
  // This one tells its fields even when there are none (recorded); most others then leave them out.
  const tellsFields = fields.length > 0 || errorCode === 'ENTITY_IS_DELETED';
  const entry = tellsFields ? { message, errorCode, fields } : { message, errorCode };
  // The key is misspelt in the replies of single records, and only there (v51.0 and v56.0 were seen).
  const body = duplicates ? { duplicateResut: duplicateResult(duplicates, version, details), ...entry } : entry;
  return { status: error.httpStatus, body: [body] };
}

/** Only the address of a record in a reply depends on it. */
const versionDefault = 'v62.0';

/** The fields of a record that the user may see: what `includeRecordDetails=true` shows of a duplicate. */
export type RecordDetails = (object: string, id: string) => object | undefined;

/** What a duplicate rule found; of the records only the ids, unless there are `details`. */
function duplicateResult(
  { rule, object, message, allowSave, ids }: DuplicatesFound,
  version: string,
  details: RecordDetails | undefined,
): unknown {
  const matchRecords = ids.map((id) => ({
    additionalInformation: [],
    fieldDiffs: [],
    matchConfidence: 100,
    record: {
      attributes: { type: object, url: `/services/data/${version}/sobjects/${object}/${id}` },
      Id: id,
      ...details?.(object, id),
    },
  }));
  const match = {
    entityType: object,
    errors: [],
    matchEngine: 'ExactMatchEngine',
    matchRecords,
    rule: `${rule}_Match`,
    size: ids.length,
    success: true,
  };
  return { allowSave, duplicateRule: rule, duplicateRuleEntityType: object, errorMessage: message, matchResults: [match] };
}

export const notFound = () => new SalesforceError('NOT_FOUND', 'The requested resource does not exist', { httpStatus: 404 });

export const badRequest = (errorCode: string, message: string, fields: readonly string[] = []) =>
  new SalesforceError(errorCode, message, { fields });

/** One failed record of a Collections reply; here the code is called `statusCode`. */
export function recordError(error: SalesforceError, version = versionDefault, details?: RecordDetails): RecordError {
  const { errorCode, message, fields, duplicates } = error;
  const entry = { statusCode: errorCode, message, fields };
  return duplicates ? { ...entry, duplicateResult: duplicateResult(duplicates, version, details) } : entry;
}

export interface RecordError {
  statusCode: string;
  message: string;
  fields: readonly string[];
  duplicateResult?: unknown;
}

/** What went wrong, as the API would put it. Anything that is not a `SalesforceError` is a bug here, and is told as one. */
export function asSalesforceError(error: unknown): SalesforceError {
  if (error instanceof SalesforceError) return error;
  // Whoever leaves in the middle of an upload is no bug, and hears no answer.
  if ((error as { code?: unknown } | null)?.code !== 'ECONNRESET') {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`emulator: unexpected error: ${text}\n`);
  }
  return new SalesforceError(unexpectedError.errorCode, unexpectedError.message, { httpStatus: 500 });
}

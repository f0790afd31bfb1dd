import type { ApiRequest } from '../http/api-types.ts';
import type { EmulatorContext } from '../http/context.ts';
import { badRequest } from '../http/errors.ts';
import { writeOptions } from '../http/write-options.ts';
import { normaliseId } from '../org/ids.ts';
import { isDelimiter, type LineEnding } from './csv-format.ts';
import type { IngestOperation, NewIngestJob } from './ingest-types.ts';

const operations: readonly IngestOperation[] = ['insert', 'update', 'upsert', 'delete', 'hardDelete'];
const properties = [
  'object',
  'operation',
  'externalIdFieldName',
  'contentType',
  'columnDelimiter',
  'lineEnding',
  'assignmentRuleId',
  'concurrencyMode',
];
/** Assignment rules can be named from this version on. */
const versionWithAssignmentRule = 49;

/** Checks what a client wants of a new job (Bulk API 2.0 Developer Guide, "Create a Job"). @throws {SalesforceError} */
export function readNewJob(body: Record<string, unknown>, request: ApiRequest, context: EmulatorContext): NewIngestJob {
  const unknown = Object.keys(body).find((name) => !properties.includes(name));
  if (unknown !== undefined) throw badRequest('JSON_PARSER_ERROR', `Unrecognized field "${unknown}"`);
  const text = (name: string, absent?: string): string => {
    const value = body[name] ?? absent;
    if (typeof value === 'string' && value !== '') return value;
    throw badRequest('INVALIDJOB', `InvalidJob : The ${name} of the job is required`);
  };
  const object = context.org.schema.object(text('object'));
  if (!object) throw badRequest('INVALIDENTITY', `Entity '${text('object')}' is not supported by the Bulk API.`);
  const operation = operations.find((name) => name === text('operation'));
  if (!operation) throw badRequest('INVALIDJOB', `InvalidJob : Unknown operation: ${text('operation')}`);
  if (operation === 'hardDelete' && !context.access.may(request.userId, 'bulkApiHardDelete')) {
    const message = 'hardDelete operation requires special user profile permission, please contact your system administrator';
    throw badRequest('FEATURENOTENABLED', message);
  }
  if (text('contentType', 'CSV') !== 'CSV') throw badRequest('INVALIDJOB', 'InvalidJob : Only the contentType CSV is supported');
  const columnDelimiter = text('columnDelimiter', 'COMMA');
  if (!isDelimiter(columnDelimiter)) throw badRequest('INVALIDJOB', `InvalidJob : Unknown columnDelimiter: ${columnDelimiter}`);
  const lineEnding = text('lineEnding', 'LF');
  if (lineEnding !== 'LF' && lineEnding !== 'CRLF')
    throw badRequest('INVALIDJOB', `InvalidJob : Unknown lineEnding: ${lineEnding}`);
  return {
    operation,
    object: object.name,
    externalIdFieldName: operation === 'upsert' ? readExternalId(body, object.name, context) : undefined,
    columnDelimiter,
    lineEnding: lineEnding satisfies LineEnding,
    assignmentRuleId: readAssignmentRule(body, request),
    apiVersion: request.version.number,
    userId: request.userId,
    writes: writeOptions(request, 'bulkapi'),
  };
}

function readExternalId(body: Record<string, unknown>, object: string, { org }: EmulatorContext): string {
  const name = body.externalIdFieldName;
  if (typeof name !== 'string' || name === '') {
    throw badRequest('INVALIDJOB', `External ID was blank for ${object}. An External ID must be specified for upsert.`);
  }
  const field = org.schema.field(object, name);
  if (field && (field.externalId || field.idLookup || field.type === 'id')) return name;
  const message = `Field name provided, ${name} does not match an External ID, Salesforce Id, or indexed field for ${object}`;
  throw badRequest('INVALIDJOB', message);
}

function readAssignmentRule(body: Record<string, unknown>, { version }: ApiRequest): string | undefined {
  const id = body.assignmentRuleId;
  if (id === undefined || id === null) return undefined;
  if (version.number < versionWithAssignmentRule) throw badRequest('JSON_PARSER_ERROR', 'Unrecognized field "assignmentRuleId"');
  if (typeof id === 'string' && normaliseId(id)?.startsWith('01Q')) return id;
  throw badRequest('INVALIDJOB', `InvalidJob : Invalid assignmentRuleId: ${String(id)}`);
}

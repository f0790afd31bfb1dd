import { operationEnqueued } from '../../events/operation-enqueued.ts';
import { normaliseId } from '../../org/ids.ts';
import { SalesforceError, type Transaction, type WriteOutcome } from '../../org/types.ts';
import type { ObjectDescribe } from '../../schema/types.ts';
import type { ApiReply, ApiRequest, Handler } from '../api-types.ts';
import type { EmulatorContext } from '../context.ts';
import { asSalesforceError, badRequest, notFound, type RecordDetails, recordError } from '../errors.ts';
import { asRecord, objectNamed, readValues } from '../record-body.ts';
import { detailsFor } from '../record-details.ts';
import { write } from '../write.ts';
import { retrieveWithId } from './sobject-rows.ts';

/** REST API Developer Guide, "sObject Collections". */
const recordsMax = 200;
const chunksMax = 10;
const retrieveIdsMax = 2000;

interface RecordResult {
  id?: string;
  success: boolean;
  errors: ReturnType<typeof recordError>[];
  /** Only upserts say so. */
  created?: boolean;
}

/** `POST /composite/sobjects` */
export const createCollection: Handler = (request, context) => {
  const { records, allOrNone } = readRecords(request);
  return answered(records, allOrNone, request, context, (transaction, record) => {
    const object = objectOf(record, context);
    return transaction.insert(object.name, readValues(object, record));
  });
};

/** `PATCH /composite/sobjects` */
export const updateCollection: Handler = (request, context) => {
  const { records, allOrNone } = readRecords(request);
  return answered(records, allOrNone, request, context, (transaction, record) => {
    const { id, rest } = takeField(record, 'Id');
    if (typeof id !== 'string' || id === '') throw badRequest('MISSING_ARGUMENT', 'Id not specified in an update call');
    const object = objectOf(record, context);
    return transaction.update(object.name, id, readValues(object, rest));
  });
};

/** `PATCH /composite/sobjects/Account/Ext__c` */
export const upsertCollection: Handler = (request, context) => {
  const object = objectNamed(request.params.object, context);
  const field = context.org.schema.field(object.name, request.params.field as string);
  if (!field || !(field.externalId || field.idLookup)) throw notFound();
  const { records, allOrNone } = readRecords(request);
  const repeated = repeatedKeys(records, field.name);
  const created = new Set<string | undefined>();
  const upsert = (transaction: Transaction, record: Record<string, unknown>): WriteOutcome => {
    if (objectOf(record, context).name !== object.name) {
      throw badRequest('INVALID_TYPE', `Every record of this call must be of type ${object.name}`);
    }
    const { id: key, rest } = takeField(record, field.name);
    const values = readValues(object, rest);
    if (key === undefined || key === null || key === '') {
      if (field.type === 'id') return transaction.insert(object.name, values);
      throw badRequest('MISSING_ARGUMENT', `${field.name} not specified`);
    }
    if (repeated.has(keyText(key))) throw badRequest('DUPLICATE_VALUE', `Duplicate external id specified: ${key}`);
    return transaction.upsert(object.name, field.name, String(key), values);
  };
  const answers = tryEach(records, allOrNone, request, context, (transaction, record) => {
    const outcome = upsert(transaction, record);
    if (outcome.created) created.add(outcome.id);
    return outcome;
  });
  return { status: 200, body: answers.map((result) => ({ ...result, created: result.success && created.has(result.id) })) };
};

/** `DELETE /composite/sobjects?ids=a,b` */
export const deleteCollection: Handler = (request, context) => {
  const ids = (request.query.get('ids') ?? '').split(',').filter((id) => id !== '');
  if (ids.length === 0) throw badRequest('REQUIRED_FIELD_MISSING', 'At least 1 record is required');
  if (ids.length > recordsMax) throw tooMany();
  checkChunks(ids.map((id) => id.slice(0, 3)));
  const allOrNone = request.query.get('allOrNone')?.toLowerCase() === 'true';
  return answered(ids, allOrNone, request, context, (transaction, id) => {
    const object = context.org.schema.byKeyPrefix(id.slice(0, 3));
    if (!object || normaliseId(id) === undefined) throw badRequest('MALFORMED_ID', `malformed id ${id}`);
    return transaction.delete(object.name, id);
  });
};

/** `GET /composite/sobjects/Account?ids=&fields=` and its `POST` form for more ids than a URL holds. */
export const retrieveCollection: Handler = (request, context) => {
  const object = objectNamed(request.params.object, context);
  const { ids, fields } = request.method === 'POST' ? readRetrieveBody(request) : readRetrieveQuery(request);
  if (ids.length > retrieveIdsMax) throw badRequest('EXCEEDED_ID_LIMIT', `Cannot retrieve more than ${retrieveIdsMax} records`);
  return { status: 200, body: ids.map((id) => retrieveWithId(object.name, id, fields, request, context) ?? null) };
};

function readRetrieveQuery(request: ApiRequest): { ids: string[]; fields: string[] } {
  return { ids: list(request.query.get('ids'), 'ids'), fields: list(request.query.get('fields'), 'fields') };
}

function readRetrieveBody(request: ApiRequest): { ids: string[]; fields: string[] } {
  const body = asRecord(request.body);
  const strings = (name: string) => {
    const value = body[name];
    if (Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string')) return value as string[];
    throw badRequest('MISSING_ARGUMENT', `The ${name} parameter is required`);
  };
  return { ids: strings('ids'), fields: strings('fields') };
}

function list(text: string | null, name: string): string[] {
  const items = (text ?? '').split(',').map((item) => item.trim());
  if (items.every((item) => item === '')) throw badRequest('MISSING_ARGUMENT', `The ${name} parameter is required`);
  return items;
}

const answered = <T>(...given: Parameters<typeof tryEach<T>>): ApiReply => ({ status: 200, body: tryEach(...given) });

/** One try per record, each whole or nothing, in one transaction. With `allOrNone` a failure undoes the others, which then say so. */
function tryEach<T>(
  inputs: readonly T[],
  allOrNone: boolean,
  request: ApiRequest,
  context: EmulatorContext,
  one: (transaction: Transaction, input: T) => WriteOutcome,
): RecordResult[] {
  const details = detailsFor({ ...request, version: request.version.text }, context);
  let tried: RecordResult[] = [];
  const attempt = (transaction: Transaction) => {
    tried = inputs.map((input) => tryRecord(() => one(transaction, input), request.version.text, details));
    if (allOrNone && tried.some((result) => !result.success)) throw new RolledBack();
  };
  try {
    write(request, context, attempt);
  } catch (error) {
    if (!(error instanceof RolledBack)) throw error;
    tried = tried.map((result) => (result.success ? rolledBack() : result));
  }
  return tried;
}

/** Carries the end of an `allOrNone` call out of its transaction. */
class RolledBack extends Error {}

function tryRecord(write: () => WriteOutcome, version: string, details: RecordDetails | undefined): RecordResult {
  try {
    const outcome = write();
    return { id: outcome.id, success: true, errors: operationEnqueued(outcome) };
  } catch (error) {
    return { success: false, errors: [recordError(asSalesforceError(error), version, details)] };
  }
}

const rolledBack = (): RecordResult => ({
  success: false,
  errors: [
    {
      statusCode: 'ALL_OR_NONE_OPERATION_ROLLED_BACK',
      message: 'Record rolled back because not all records were valid and the request was using AllOrNone header',
      fields: [],
    },
  ],
});

function readRecords(request: ApiRequest): { records: Record<string, unknown>[]; allOrNone: boolean } {
  const body = asRecord(request.body);
  const records = body.records;
  if (!Array.isArray(records) || records.length === 0) {
    throw badRequest('REQUIRED_FIELD_MISSING', 'At least 1 record is required');
  }
  if (records.length > recordsMax) throw tooMany();
  const checked = records.map(asRecord);
  checkChunks(checked.map(typeOf));
  return { records: checked, allOrNone: body.allOrNone === true };
}

const tooMany = () =>
  new SalesforceError('EXCEEDED_ID_LIMIT', `record limit reached. cannot submit more than ${recordsMax} records into this call`);

/** Runs of one type are handed to triggers together. @throws {SalesforceError} there are too many of them. */
function checkChunks(types: readonly unknown[]): void {
  if (types.filter((type, index) => index === 0 || type !== types[index - 1]).length <= chunksMax) return;
  throw badRequest(
    'LIMIT_EXCEEDED',
    `Cannot have more than ${chunksMax} chunks in a single operation. Please rearrange the data to reduce chunking.`,
  );
}

const typeOf = (record: Record<string, unknown>): unknown => (record.attributes as { type?: unknown } | undefined)?.type;

function objectOf(record: Record<string, unknown>, { org }: EmulatorContext): ObjectDescribe {
  const type = typeOf(record);
  if (typeof type !== 'string') throw badRequest('INVALID_TYPE', 'Each record needs attributes with a type');
  const object = org.schema.object(type);
  if (!object) throw badRequest('INVALID_TYPE', `sObject type '${type}' is not supported.`);
  return object;
}

function takeField(record: Record<string, unknown>, name: string): { id: unknown; rest: Record<string, unknown> } {
  const key = Object.keys(record).find((candidate) => candidate.toLowerCase() === name.toLowerCase());
  if (key === undefined) return { id: undefined, rest: record };
  const { [key]: id, ...rest } = record;
  return { id, rest };
}

/** Keys that stand more than once in a call: none of their records is written. */
function repeatedKeys(records: readonly Record<string, unknown>[], field: string): Set<string> {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const record of records) {
    const key = keyText(takeField(record, field).id);
    if (seen.has(key)) repeated.add(key);
    seen.add(key);
  }
  return repeated;
}

const keyText = (key: unknown) => String(key).toLowerCase();

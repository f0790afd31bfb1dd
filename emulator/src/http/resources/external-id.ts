import { SalesforceError } from '../../org/types.ts';
import type { FieldDescribe, ObjectDescribe } from '../../schema/types.ts';
import type { ApiReply, ApiRequest, Handler } from '../api-types.ts';
import type { EmulatorContext } from '../context.ts';
import { badRequest, notFound } from '../errors.ts';
import { asRecord, objectNamed, readValues, soqlLiteral } from '../record-body.ts';
import { write } from '../write.ts';
import { rowReply } from './sobject-rows.ts';

/** The version from which an upsert that updates answers 200 and a body, and says `created`. */
const versionWithCreated = 46;

/** `PATCH /sobjects/Account/Ext__c/7` (REST API Developer Guide, "Upsert"). */
export const upsertByExternalId: Handler = (request, context) => {
  const { object, field, value } = target(request, context);
  const body = asRecord(request.body);
  if (Object.keys(body).some((name) => name.toLowerCase() === field.name.toLowerCase())) {
    throw badRequest('INVALID_FIELD', `The ${field.name} field should not be specified in the sobject data.`);
  }
  const values = readValues(object, body);
  try {
    const outcome = write(request, context, (transaction) => transaction.upsert(object.name, field.name, value, values));
    return upsertReply(outcome, object, request);
  } catch (error) {
    if (!(error instanceof SalesforceError) || error.errorCode !== 'MULTIPLE_CHOICES') throw error;
    return { status: 300, body: matches(object, field, value, request, context) };
  }
};

function upsertReply(
  { id, created }: { id: string; created: boolean },
  object: ObjectDescribe,
  { version }: ApiRequest,
): ApiReply {
  const says = version.number >= versionWithCreated;
  if (!created && !says) return { status: 204 };
  const body = { id, success: true, errors: [], ...(says ? { created } : {}) };
  if (!created) return { status: 200, body };
  return { status: 201, headers: { Location: `/services/data/${version.text}/sobjects/${object.name}/${id}` }, body };
}

/** `GET /sobjects/Account/Ext__c/7`. */
export const getByExternalId: Handler = (request, context) => {
  const { object, field, value } = target(request, context);
  const ids = idsMatching(object, field, value, request, context);
  if (ids.length > 1) return { status: 300, body: matches(object, field, value, request, context) };
  if (ids[0] === undefined) throw notFound();
  return rowReply(ids[0], request, context);
};

/** `DELETE /sobjects/Account/Ext__c/7`. */
export const deleteByExternalId: Handler = (request, context) => {
  const { object, field, value } = target(request, context);
  const ids = idsMatching(object, field, value, request, context);
  if (ids.length > 1) return { status: 300, body: matches(object, field, value, request, context) };
  const id = ids[0];
  if (id === undefined) throw notFound();
  write(request, context, (transaction) => transaction.delete(object.name, id));
  return { status: 204 };
};

function target(request: ApiRequest, context: EmulatorContext): { object: ObjectDescribe; field: FieldDescribe; value: string } {
  const object = objectNamed(request.params.object, context);
  const field = context.org.schema.field(object.name, request.params.field as string);
  if (!field || !(field.externalId || field.idLookup)) throw notFound();
  return { object, field, value: request.params.value as string };
}

function idsMatching(
  object: ObjectDescribe,
  field: FieldDescribe,
  value: string,
  { transaction }: ApiRequest,
  { org }: EmulatorContext,
): string[] {
  const soql = `SELECT Id FROM ${object.name} WHERE ${field.name} = ${soqlLiteral(value, field.soapType)}`;
  const found = org.query(soql, { transaction });
  return (found.page(0, found.pageSizeMax, 'v62.0') as { Id: string }[]).map((row) => row.Id);
}

function matches(
  object: ObjectDescribe,
  field: FieldDescribe,
  value: string,
  request: ApiRequest,
  context: EmulatorContext,
): string[] {
  return idsMatching(object, field, value, request, context).map(
    (id) => `/services/data/${request.version.text}/sobjects/${object.name}/${id}`,
  );
}

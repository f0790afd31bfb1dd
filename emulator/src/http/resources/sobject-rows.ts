import { operationEnqueued } from '../../events/operation-enqueued.ts';
import { normaliseId } from '../../org/ids.ts';
import type { ApiReply, ApiRequest, Handler } from '../api-types.ts';
import type { EmulatorContext } from '../context.ts';
import { badRequest, notFound } from '../errors.ts';
import { asRecord, objectNamed, readValues } from '../record-body.ts';
import { write } from '../write.ts';
import { checkWriteConditions, readConditions } from './record-conditions.ts';

/** `POST /sobjects/Account` (REST API Developer Guide, "sObject Basic Information"). */
export const createRow: Handler = (request, context) => {
  const object = objectNamed(request.params.object, context);
  const values = readValues(object, asRecord(request.body));
  const outcome = write(request, context, (transaction) => transaction.insert(object.name, values));
  const { id } = outcome;
  return {
    status: 201,
    headers: { Location: `/services/data/${request.version.text}/sobjects/${object.name}/${id}` },
    body: { id, success: true, errors: operationEnqueued(outcome) },
  };
};

/** `GET /sobjects/Account/001…?fields=Name,Phone` ("sObject Rows"). */
export const getRow: Handler = (request, context) => rowReply(request.params.id as string, request, context);

export function rowReply(id: string, request: ApiRequest, context: EmulatorContext): ApiReply {
  const object = objectNamed(request.params.object, context);
  const fields = request.query
    .get('fields')
    ?.split(',')
    .map((field) => field.trim());
  const row = retrieveWithId(object.name, id, fields, request, context);
  if (!row) throw notFound();
  const { headers, isUnchanged } = readConditions(object.name, id, request, context);
  return isUnchanged ? { status: 304, headers } : { status: 200, headers, body: row };
}

/** The id comes along whether it was asked for or not (assumed: seen in replies, not in the guide). */
export function retrieveWithId(
  object: string,
  id: string,
  fields: readonly string[] | undefined,
  request: ApiRequest,
  { org }: EmulatorContext,
): Record<string, unknown> | undefined {
  const row = org.retrieve(object, id, request.version.text, fields, { transaction: request.transaction });
  return row && !('Id' in row) ? { ...row, Id: normaliseId(id) } : row;
}

/** `PATCH /sobjects/Account/001…`: 204 and nothing. */
export const updateRow: Handler = (request, context) => {
  const object = objectNamed(request.params.object, context);
  const body = asRecord(request.body);
  refuseId(body);
  const values = readValues(object, body);
  const id = request.params.id as string;
  checkWriteConditions(object.name, id, request, context);
  write(request, context, (transaction) => transaction.update(object.name, id, values));
  return { status: 204 };
};

/** `DELETE /sobjects/Account/001…`: 204 and nothing; the record goes to the recycle bin. */
export const deleteRow: Handler = (request, context) => {
  const object = objectNamed(request.params.object, context);
  write(request, context, (transaction) => transaction.delete(object.name, request.params.id as string));
  return { status: 204 };
};

function refuseId(body: Record<string, unknown>): void {
  const id = Object.keys(body).find((name) => name.toLowerCase() === 'id');
  if (id === undefined) return;
  const message =
    `Unable to create/update fields: ${id}. Please check the security settings of this field and verify that it is ` +
    'read/write for your profile or permission set.';
  throw badRequest('INVALID_FIELD_FOR_INSERT_UPDATE', message, [id]);
}

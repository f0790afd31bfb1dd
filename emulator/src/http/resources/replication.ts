import type { ApiRequest, Handler } from '../api-types.ts';
import { parseDatetime } from '../dates.ts';
import { badRequest } from '../errors.ts';
import { objectNamed } from '../record-body.ts';

/** `GET /sobjects/Account/updated?start=&end=` (REST API Developer Guide, "sObject Get Updated"). */
export const updated: Handler = (request, context) => {
  const object = objectNamed(request.params.object, context);
  return { status: 200, body: context.org.updated(object.name, instant(request, 'start'), instant(request, 'end')) };
};

/** `GET /sobjects/Account/deleted?start=&end=` ("sObject Get Deleted"). */
export const deleted: Handler = (request, context) => {
  const object = objectNamed(request.params.object, context);
  return { status: 200, body: context.org.deleted(object.name, instant(request, 'start'), instant(request, 'end')) };
};

function instant(request: ApiRequest, name: 'start' | 'end'): number {
  const text = request.query.get(name);
  if (text === null) throw badRequest('MISSING_ARGUMENT', `The ${name} parameter is required`);
  const ms = parseDatetime(text);
  if (ms === undefined) throw badRequest('INVALID_REPLICATION_DATE', `Invalid ${name} date: ${text}`);
  return ms;
}

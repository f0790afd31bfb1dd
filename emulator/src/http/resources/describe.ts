import { describeBasic, describeGlobal, describeObject } from '../../schema/describe.ts';
import type { ApiReply, ApiRequest, Handler } from '../api-types.ts';
import type { EmulatorContext } from '../context.ts';
import { notFound } from '../errors.ts';

/** `GET /sobjects` (REST API Developer Guide, "Describe Global"). */
export const global: Handler = (request, context) =>
  unlessUnchanged(request, context, () => describeGlobal(context.org.schema, request.version.text));

/** `GET /sobjects/Account` ("sObject Basic Information"). */
export const basic: Handler = (request, context) =>
  unlessUnchanged(request, context, () =>
    describeBasic(context.org.schema, request.params.object as string, request.version.text),
  );

/** `GET /sobjects/Account/describe` ("sObject Describe"). */
export const full: Handler = (request, context) =>
  unlessUnchanged(request, context, () =>
    describeObject(context.org.schema, request.params.object as string, request.version.text, context.instanceUrl),
  );

/** 304 and nothing when the schema is as the client saw it. HTTP dates know whole seconds only. */
function unlessUnchanged(request: ApiRequest, { org }: EmulatorContext, describe: () => unknown): ApiReply {
  const changedAtMs = Math.floor(org.schema.changedAtMs / 1000) * 1000;
  const since = Date.parse(request.headers['if-modified-since'] ?? '');
  const body = describe();
  if (body === undefined) throw notFound();
  if (changedAtMs <= since) return { status: 304 };
  return { status: 200, headers: { 'Last-Modified': new Date(changedAtMs).toUTCString() }, body };
}

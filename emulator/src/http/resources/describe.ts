import { changeEventSummaries, describeChangeEvent, describeChangeEventBasic } from '../../events/describe-change-event.ts';
import { describeBasic, describeGlobal, describeObject } from '../../schema/describe.ts';
import type { ApiReply, ApiRequest, Handler } from '../api-types.ts';
import type { EmulatorContext } from '../context.ts';
import { notFound } from '../errors.ts';

/** `GET /sobjects` (REST API Developer Guide, "Describe Global"). */
export const global: Handler = (request, context) =>
  unlessUnchanged(request, context, () => {
    const { sobjects, ...all } = describeGlobal(context.org.schema, request.version.text);
    const events = changeEventSummaries(context.org.schema, request.version.text);
    const byName = (a: Record<string, unknown>, b: Record<string, unknown>) => (String(a.name) < String(b.name) ? -1 : 1);
    return { ...all, sobjects: [...sobjects, ...events].sort(byName) };
  });

/** `GET /sobjects/Account` ("sObject Basic Information"). */
export const basic: Handler = (request, context) =>
  unlessUnchanged(request, context, () => {
    const name = request.params.object as string;
    const { schema } = context.org;
    return describeBasic(schema, name, request.version.text) ?? describeChangeEventBasic(schema, name, request.version.text);
  });

/** `GET /sobjects/Account/describe` ("sObject Describe"). */
export const full: Handler = (request, context) =>
  unlessUnchanged(request, context, () => {
    const name = request.params.object as string;
    const { schema } = context.org;
    const { text: version } = request.version;
    return describeObject(schema, name, version, context.instanceUrl) ?? describeChangeEvent(schema, name, version);
  });

/** 304 and nothing when the schema is as the client saw it. HTTP dates know whole seconds only. */
function unlessUnchanged(request: ApiRequest, { org }: EmulatorContext, describe: () => unknown): ApiReply {
  const changedAtMs = Math.floor(org.schema.changedAtMs / 1000) * 1000;
  const since = Date.parse(request.headers['if-modified-since'] ?? '');
  const body = describe();
  if (body === undefined) throw notFound();
  if (changedAtMs <= since) return { status: 304 };
  return { status: 200, headers: { 'Last-Modified': new Date(changedAtMs).toUTCString() }, body };
}

import { normaliseId } from '../../org/ids.ts';
import { SalesforceError } from '../../org/types.ts';
import { describeBasic, describeGlobal, describeObject } from '../../schema/describe.ts';
import type { ApiReply, ApiRequest, Handler } from '../api-types.ts';
import type { EmulatorContext } from '../context.ts';
import { notFound } from '../errors.ts';
import { asRecord } from '../record-body.ts';
import { type Component, type ComponentKind, gone } from '../tooling/component.ts';
import { kindOf, maySeeSetup } from '../tooling/kinds.ts';
import { toolingSchema as schema } from '../tooling/objects.ts';
import { toolingRecords } from '../tooling/query.ts';

/** `/tooling/sobjects/…`: components of Setup, written whole by their metadata (Tooling API guide, "REST Resources"). */

export const createComponent: Handler = (request, context) => {
  const kind = writable(request, context);
  const id = kind.create(readComponent(request.body), context);
  return { status: 201, body: { id, success: true, errors: [], warnings: [], infos: [] } };
};

export const getComponent: Handler = (request, context) => {
  const { object = '' } = request.params;
  if (!kindOf(object) || !maySeeSetup(request.userId, context)) throw notFound();
  const fields = schema.object(object)?.fields.map(({ name }) => name) ?? [];
  const path = `/services/data/${request.version.text}/tooling`;
  const soql = `SELECT ${fields.join(', ')} FROM ${object} WHERE Id = '${idOf(request)}'`;
  const record = toolingRecords(soql, path, request.userId, context).records[0];
  if (!record) throw gone();
  return { status: 200, body: record };
};

export const updateComponent: Handler = (request, context) => {
  writable(request, context).update(idOf(request), readComponent(request.body), context);
  return { status: 204 };
};

export const deleteComponent: Handler = (request, context) => {
  writable(request, context).remove(idOf(request), context);
  return { status: 204 };
};

export const toolingDescribeGlobal: Handler = ({ version }) => below(describeGlobal(schema, version.text), version.text);
export const toolingDescribeBasic: Handler = ({ params, version }) =>
  below(describeBasic(schema, params.object as string, version.text), version.text);
export const toolingDescribe: Handler = ({ params, version }, { instanceUrl }) =>
  below(describeObject(schema, params.object as string, version.text, instanceUrl), version.text);

/** A describe reply with the addresses that its resources have here. */
function below(described: object | undefined, version: string): ApiReply {
  if (!described) throw notFound();
  const path = `/services/data/${version}/sobjects`;
  const text = JSON.stringify(described).replaceAll(`"${path}`, `"/services/data/${version}/tooling/sobjects`);
  return { status: 200, body: JSON.parse(text) as unknown };
}

function writable({ params, userId }: ApiRequest, context: EmulatorContext): ComponentKind {
  const kind = kindOf(params.object as string);
  if (!kind) throw notFound();
  if (!context.access.may(userId, 'customizeApplication')) {
    throw new SalesforceError('INSUFFICIENT_ACCESS_OR_READONLY', 'insufficient access rights on object id', { httpStatus: 403 });
  }
  return kind;
}

function idOf({ params }: ApiRequest): string {
  const id = normaliseId(params.id as string);
  if (id === undefined) throw gone();
  return id;
}

function readComponent(body: unknown): Component {
  const { FullName, Metadata } = asRecord(body);
  return { fullName: typeof FullName === 'string' ? FullName : undefined, metadata: asRecord(Metadata) };
}

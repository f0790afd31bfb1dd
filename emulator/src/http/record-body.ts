import type { Value, Values } from '../org/types.ts';
import type { ObjectDescribe } from '../schema/types.ts';
import type { EmulatorContext } from './context.ts';
import { badRequest, notFound } from './errors.ts';

/** The object of a path. @throws {SalesforceError} 404 when there is none (to this user). */
export function objectNamed(name: string | undefined, { org }: EmulatorContext): ObjectDescribe {
  const object = org.schema.object(name ?? '');
  if (!object) throw notFound();
  return object;
}

export function asRecord(body: unknown): Record<string, unknown> {
  if (body !== null && typeof body === 'object' && !Array.isArray(body)) return body as Record<string, unknown>;
  throw badRequest('JSON_PARSER_ERROR', 'Request body must be a JSON object');
}

/**
 * The field values of a request body. `attributes` is left out; `"Account": {"Ext__c": "7"}`, a parent named by its
 * external id, becomes `Account.Ext__c` as Bulk headers write it (REST API Developer Guide, "Relate a Record by External ID").
 */
export function readValues(object: ObjectDescribe, body: Record<string, unknown>): Values {
  const values: Values = {};
  for (const [name, value] of Object.entries(body)) {
    if (name === 'attributes') continue;
    if (value !== null && typeof value === 'object') {
      const [path, key] = parentPath(object, name, value as Record<string, unknown>);
      values[path] = key;
    } else {
      values[name] = value as Value;
    }
  }
  return values;
}

function parentPath(object: ObjectDescribe, name: string, parent: Record<string, unknown>): [string, string] {
  if (object.fields.some((field) => field.name.toLowerCase() === name.toLowerCase())) {
    throw badRequest('JSON_PARSER_ERROR', `Cannot deserialize instance of ${name} from START_OBJECT value {`);
  }
  const keys = Object.entries(parent).filter(([key]) => key !== 'attributes');
  if (Array.isArray(parent) || keys.length !== 1) {
    throw badRequest('INVALID_FIELD', `The relationship '${name}' must name its parent by exactly one external id field`);
  }
  const [field, value] = keys[0] as [string, unknown];
  const type = (parent.attributes as { type?: unknown } | undefined)?.type;
  return [`${typeof type === 'string' ? `${type}:` : ''}${name}.${field}`, value === null ? '' : String(value)];
}

/** A value as SOQL writes it. Numbers stay bare only if they are numbers, so that nothing else gets into the query. */
export function soqlLiteral(value: unknown, soapType: string): string {
  if ((soapType === 'xsd:double' || soapType === 'xsd:int') && Number.isFinite(Number(value))) return String(Number(value));
  const escaped = String(value).replaceAll(/[\\'\n\r]/g, (character) => soqlEscapes[character] as string);
  return `'${escaped}'`;
}

const soqlEscapes: Record<string, string> = { '\\': '\\\\', "'": "\\'", '\n': '\\n', '\r': '\\r' };

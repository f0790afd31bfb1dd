import { type FieldType, parseQuery, type Query } from '@jetstreamapp/soql-parser-js';
import { badRequest } from '../http/errors.ts';
import type { SalesforceError } from '../org/types.ts';
import type { ObjectDescribe, Schema } from '../schema/types.ts';

/**
 * Refuses what Bulk API 2.0 queries cannot do (Bulk API 2.0 Developer Guide, "Query", "SOQL Considerations").
 *
 * @returns the object that is read.
 * @throws {SalesforceError}
 */
export function checkBulkQuery(soql: string, schema: Schema): ObjectDescribe {
  const query = parse(soql);
  const object = schema.object(query.sObject ?? '');
  if (!object) throw badRequest('INVALIDENTITY', `Entity '${query.sObject}' is not supported by the Bulk API.`);
  if (!object.queryable) throw badRequest('INVALIDENTITY', `Entity '${object.name}' is not supported by the Bulk API.`);
  const unsupported = findUnsupported(query, object);
  if (unsupported) throw unsupported;
  return object;
}

function parse(soql: string): Query {
  try {
    return parseQuery(soql, { allowApexBindVariables: false, ignoreParseErrors: false });
  } catch (error) {
    throw badRequest('MALFORMED_QUERY', error instanceof Error ? error.message : String(error));
  }
}

function findUnsupported(query: Query, object: ObjectDescribe): SalesforceError | undefined {
  if ('groupBy' in query && query.groupBy) return refused('Aggregate Relationships not supported in Bulk Query: GROUP BY');
  if (query.offset !== undefined) return refused('OFFSET is not supported in Bulk Query');
  for (const field of query.fields ?? []) {
    const refusal = refuseField(field, object);
    if (refusal) return refusal;
  }
  return undefined;
}

function refuseField(field: FieldType, object: ObjectDescribe): SalesforceError | undefined {
  switch (field.type) {
    case 'FieldTypeof':
      return refused('TYPEOF is not supported in Bulk Query');
    case 'FieldSubquery':
      return refused('Aggregate Relationships not supported in Bulk Query');
    case 'FieldFunctionExpression':
      if (field.functionName.toUpperCase() === 'FIELDS') {
        return field.parameters[0] === 'STANDARD'
          ? undefined
          : refused('FIELDS(ALL) and FIELDS(CUSTOM) are not supported in Bulk Query');
      }
      return field.isAggregateFn
        ? refused(`Aggregate functions are not supported in Bulk Query: ${field.functionName}`)
        : undefined;
    case 'Field': {
      const describe = object.fields.find((candidate) => candidate.name.toLowerCase() === field.field.toLowerCase());
      const compound = describe?.type === 'address' || describe?.type === 'location';
      return compound ? refused(`Selecting compound data not supported in Bulk Query: ${describe.name}`) : undefined;
    }
    default:
      return undefined;
  }
}

const refused = (message: string) => badRequest('API_ERROR', message);

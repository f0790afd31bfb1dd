import type { Handler } from '../api-types.ts';
import { badRequest } from '../errors.ts';
import { toolingSchema } from '../tooling/objects.ts';
import { toolingRecords } from '../tooling/query.ts';
import { queryColumns } from './query-columns.ts';

/** `GET /tooling/query?q=` (Tooling API guide, "REST Resources"). */
export const toolingQuery: Handler = ({ query, version, userId }, context) => {
  const soql = query.get('q');
  if (soql === null) throw badRequest('MALFORMED_QUERY', 'SOQL statements cannot be empty or null');
  const path = `/services/data/${version.text}/tooling`;
  const { totalSize, entityTypeName, records } = toolingRecords(soql, path, userId, context);
  if (query.get('columns') === 'true') return { status: 200, body: queryColumns(soql, toolingSchema) };
  return {
    status: 200,
    body: { size: records.length, totalSize, done: true, queryLocator: null, entityTypeName, records },
  };
};

import type { Handler } from '../api-types.ts';

/**
 * `GET /limits/recordCount?sObjects=Account,Contact` (REST API Developer Guide, "Record Count"): approximate in a real
 * org, exact here. Objects that the user may not see are left out.
 */
export const recordCount: Handler = ({ query }, { org }) => {
  const names = (query.get('sObjects') ?? '').split(',').filter((name) => name !== '');
  const objects = names.length === 0 ? org.schema.objects : names.flatMap((name) => org.schema.object(name) ?? []);
  const sObjects = objects
    .filter(({ queryable }) => queryable)
    .map(({ name }) => ({ count: org.query(`SELECT COUNT() FROM ${name}`).totalSize, name }));
  return { status: 200, body: { sObjects } };
};

import type pg from 'pg';

/**
 * What a fleet's copies lack of what they should hold, by `<org> <id>` or `topic <id>`: the first difference in words, empty when there is
 * none.
 */
export async function fleetDifference(session: pg.Client, expected: ReadonlyMap<string, string>): Promise<string> {
  let rows: { at: string; last: string | null }[];
  try {
    ({ rows } = await session.query(
      "SELECT org_id || ' ' || id AS at, last FROM contacts UNION ALL SELECT 'topic ' || id, last FROM of_topic",
    ));
  } catch {
    return 'the tables are not there';
  }
  const found = new Map(rows.map(({ at, last }) => [at, last]));
  for (const [at, last] of expected) if (found.get(at) !== last) return `${at} is ${found.get(at)} and should be ${last}`;
  for (const at of found.keys()) if (!expected.has(at)) return `${at} should not be there`;
  return '';
}

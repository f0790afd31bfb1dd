import { asking } from './bad-request.ts';
import type { DataEndpoint } from './data-endpoints.ts';
import { askedTable, UNTIL_DONE } from './find-table.ts';
import { cursorOf, readQuery } from './read-query.ts';

/** `GET /data/<connection>/<table>`: a page of rows. */
export const getRows: DataEndpoint = (api, parts) => {
  api.get('/:connection/:table', { config: { role: 'read' } }, async (request, reply) => {
    const { rows, path } = await askedTable(parts, request);
    const asked = request.query as Record<string, string>;
    const query = readQuery(asked, rows);
    const page = await asking(() => rows.page(query, UNTIL_DONE));
    const next = page.next === null ? null : cursorOf(page.next, query.sort);
    if (next !== null) reply.header('link', `<${path}?${new URLSearchParams([...pairsOf(asked), ['after', next]])}>; rel="next"`);
    return { data: page.rows, next };
  });
};

/** What was asked for, but for where the page began. */
function pairsOf(query: Readonly<Record<string, string | readonly string[]>>): [string, string][] {
  return Object.entries(query).flatMap(([name, values]) =>
    name === 'after' ? [] : [values].flat().map((value): [string, string] => [name, value]),
  );
}

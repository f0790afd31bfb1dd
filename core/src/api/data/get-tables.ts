import type { DataEndpoint } from './data-endpoints.ts';
import { pathOf } from './find-table.ts';

/** `GET /data`: what is served. */
export const getTables: DataEndpoint = (api, { engine: { tables } }) => {
  api.get('', { config: { role: 'read' } }, async () =>
    tables.all().map((table) => ({
      connection: table.connection,
      table: table.spec.name,
      access: table.access,
      sync: table.pairing?.sync ?? null,
      href: pathOf(table),
    })),
  );
};

import type { FastifyRequest } from 'fastify';
import type { ServedTable } from '../../control/served-tables.ts';
import type { Rows } from '../../model/rows.ts';
import { bearerOf } from '../access/who-asks.ts';
import { isLoopbackAddress } from '../host-guard.ts';
import type { ApiParts } from '../v1/endpoint.ts';
import { describeTable, listOfTables } from './describe-table.ts';

/** What of a description in OpenAPI is added to. */
export interface Description {
  paths?: Record<string, unknown>;
  components?: { schemas?: Record<string, unknown> };
}

/**
 * The description with the tables that are served, as they are now. Columns are their owner's business: where others than this
 * machine can ask, they are told to whoever has a token.
 */
export async function describeTables(description: Description, request: FastifyRequest, parts: ApiParts): Promise<Description> {
  const { tables } = parts.engine;
  if (tables.all().length === 0 || !(await maySee(request, parts))) return description;
  const paths: Record<string, unknown> = { ...description.paths, '/data': { get: listOfTables } };
  const schemas: Record<string, unknown> = { ...description.components?.schemas };
  const described = await Promise.all(tables.all().map(async (table) => ({ table, rows: await opened(table, parts) })));
  for (const { table, rows } of described) {
    if (rows === null) continue;
    const own = describeTable(table, rows);
    Object.assign(paths, own.paths);
    Object.assign(schemas, own.schemas);
  }
  return { ...description, paths, components: { ...description.components, schemas } };
}

async function maySee(request: FastifyRequest, { engine }: ApiParts): Promise<boolean> {
  if (request.server.addresses().every((at) => typeof at === 'string' || isLoopbackAddress(at.address))) return true;
  const given = bearerOf(request);
  return given !== undefined && (await engine.tokens.check(given)) !== null;
}

/** One that does not answer keeps nobody from reading about the others. */
async function opened(table: ServedTable, { engine, log }: ApiParts): Promise<Rows | null> {
  try {
    return await engine.tables.open(table);
  } catch (error) {
    log.warn({ connection: table.connection, table: table.spec.name, err: error }, 'a table cannot be described at this time');
    return null;
  }
}
